// Draws digits as smooth strokes and renders them by distance.
#include "common/digits.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <random>
#include <vector>

namespace examples {
namespace {

struct Point {
  float x, y;  // in the unit square, y down
};
using Stroke = std::vector<Point>;
using Glyph = std::vector<Stroke>;

constexpr int side = 28;
constexpr int pieces = 6;  // straight pieces between two points of a stroke

// The standard's distributions differ between libraries; these do not.
class Chance {
 public:
  explicit Chance(uint32_t seed) : words_(seed) {}
  float uniform(float low, float high) { return low + (high - low) * static_cast<float>(words_() >> 8) * 0x1p-24f; }
  // close to normal: the sum of four uniforms, scaled to this deviation
  float spread(float deviation) {
    float sum = 0;
    for (int i = 0; i < 4; ++i) sum += uniform(-1, 1);
    return sum * 0.866f * deviation;
  }
  size_t below(size_t n) { return static_cast<size_t>((static_cast<uint64_t>(words_()) * n) >> 32); }

 private:
  std::mt19937 words_;
};

// The ways people write each digit.
const std::array<std::vector<Glyph>, 10>& ways() {
  static const std::array<std::vector<Glyph>, 10> all{{
      {{{{.55f, .05f}, {.2f, .25f}, {.15f, .65f}, {.45f, .95f}, {.8f, .7f}, {.82f, .3f}, {.55f, .05f}}}},
      {{{{.5f, .03f}, {.5f, .5f}, {.5f, .97f}}},
       {{{.3f, .25f}, {.55f, .03f}, {.55f, .97f}}},
       {{{.3f, .25f}, {.55f, .03f}, {.55f, .97f}}, {{.3f, .97f}, {.8f, .97f}}}},
      {{{{.2f, .25f}, {.45f, .05f}, {.8f, .2f}, {.65f, .55f}, {.18f, .95f}}, {{.18f, .95f}, {.85f, .93f}}},
       {{{.2f, .2f}, {.55f, .05f}, {.75f, .3f}, {.4f, .8f}, {.2f, .85f}, {.3f, .72f}, {.5f, .88f}, {.85f, .9f}}}},
      {{{{.2f, .12f}, {.6f, .05f}, {.75f, .25f}, {.45f, .45f}, {.8f, .65f}, {.65f, .92f}, {.18f, .9f}}},
       {{{.2f, .06f}, {.75f, .06f}}, {{.75f, .06f}, {.4f, .42f}, {.8f, .62f}, {.6f, .95f}, {.18f, .88f}}}},
      {{{{.3f, .05f}, {.2f, .55f}}, {{.2f, .55f}, {.85f, .52f}}, {{.7f, .1f}, {.65f, .97f}}},
       {{{.62f, .04f}, {.15f, .65f}}, {{.15f, .65f}, {.88f, .65f}}, {{.62f, .04f}, {.62f, .97f}}}},
      {{{{.75f, .06f}, {.28f, .08f}},
        {{.28f, .08f}, {.25f, .45f}},
        {{.25f, .45f}, {.6f, .4f}, {.8f, .65f}, {.6f, .93f}, {.2f, .9f}}},
       {{{.8f, .06f}, {.4f, .08f}, {.28f, .4f}, {.65f, .5f}, {.72f, .78f}, {.45f, .95f}, {.2f, .85f}}}},
      {{{{.65f, .05f}, {.3f, .4f}, {.22f, .75f}, {.5f, .95f}, {.78f, .75f}, {.55f, .55f}, {.25f, .7f}}},
       {{{.4f, .03f}, {.25f, .5f}, {.3f, .9f}, {.65f, .92f}, {.7f, .65f}, {.45f, .58f}, {.26f, .75f}}}},
      {{{{.18f, .08f}, {.82f, .08f}}, {{.82f, .08f}, {.55f, .5f}, {.4f, .97f}}},
       {{{.18f, .08f}, {.82f, .08f}}, {{.82f, .08f}, {.4f, .97f}}, {{.35f, .5f}, {.8f, .48f}}}},
      {{{{.72f, .15f},
         {.4f, .05f},
         {.25f, .25f},
         {.7f, .65f},
         {.6f, .93f},
         {.3f, .9f},
         {.28f, .65f},
         {.7f, .3f},
         {.72f, .15f}}},
       {{{.5f, .05f}, {.25f, .25f}, {.5f, .47f}, {.75f, .25f}, {.5f, .05f}},
        {{.5f, .47f}, {.2f, .72f}, {.5f, .96f}, {.8f, .72f}, {.5f, .47f}}}},
      {{{{.75f, .2f}, {.45f, .05f}, {.22f, .3f}, {.45f, .5f}, {.74f, .25f}}, {{.74f, .25f}, {.72f, .6f}, {.6f, .97f}}},
       {{{.7f, .3f}, {.5f, .05f}, {.25f, .25f}, {.45f, .45f}, {.7f, .3f}, {.7f, .75f}, {.5f, .95f}, {.25f, .88f}}}},
  }};
  return all;
}

// Catmull-Rom: the curve passes through its points.
Point between(const Stroke& s, size_t i, float t) {
  const Point &p1 = s[i], &p2 = s[i + 1];
  const Point &p0 = s[i ? i - 1 : 0], &p3 = s[std::min(i + 2, s.size() - 1)];
  const auto cubic = [t](float a, float b, float c, float d) {
    return b + 0.5f * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)));
  };
  return {cubic(p0.x, p1.x, p2.x, p3.x), cubic(p0.y, p1.y, p2.y, p3.y)};
}

// From the unit square to pixels: one writer's slant, proportions, turn and place.
struct Hand {
  explicit Hand(Chance& chance)
      : width(chance.uniform(11, 19)),
        height(chance.uniform(15, 22)),
        slant(chance.spread(0.25f)),
        turn(chance.spread(0.12f)),
        x(14 + chance.spread(1.3f)),
        y(14 + chance.spread(1.3f)),
        thickness(chance.uniform(0.7f, 1.9f)),
        ink(chance.uniform(0.6f, 1)) {}
  Point place(Point p) const {
    const float v = (p.y - 0.5f) * height, u = (p.x - 0.5f) * width - slant * v;
    return {x + u * std::cos(turn) - v * std::sin(turn), y + u * std::sin(turn) + v * std::cos(turn)};
  }
  float width, height, slant, turn, x, y, thickness, ink;
};

float distance(float px, float py, Point a, Point b) {
  const float dx = b.x - a.x, dy = b.y - a.y, length = dx * dx + dy * dy;
  const float t = length > 0 ? std::clamp(((px - a.x) * dx + (py - a.y) * dy) / length, 0.f, 1.f) : 0.f;
  const float ex = px - a.x - t * dx, ey = py - a.y - t * dy;
  return std::sqrt(ex * ex + ey * ey);
}

// Ink of one straight piece, with soft edges; where pieces overlap the darkest counts.
void draw_piece(float* pixels, Point a, Point b, const Hand& hand) {
  const float reach = hand.thickness + 1;
  const auto clip = [](float v) { return std::clamp(static_cast<int>(std::floor(v)), 0, side - 1); };
  for (int row = clip(std::min(a.y, b.y) - reach); row <= clip(std::max(a.y, b.y) + reach); ++row)
    for (int column = clip(std::min(a.x, b.x) - reach); column <= clip(std::max(a.x, b.x) + reach); ++column) {
      const float d = distance(static_cast<float>(column) + 0.5f, static_cast<float>(row) + 0.5f, a, b);
      float& pixel = pixels[row * side + column];
      pixel = std::max(pixel, hand.ink * std::clamp(hand.thickness + 0.5f - d, 0.f, 1.f));
    }
}

void draw(float* pixels, const Glyph& glyph, Chance& chance) {
  const Hand hand(chance);
  for (Stroke stroke : glyph) {
    for (Point& p : stroke) p = {p.x + chance.spread(0.055f), p.y + chance.spread(0.055f)};
    Point from = hand.place(stroke[0]);
    for (size_t i = 0; i + 1 < stroke.size(); ++i)
      for (int piece = 1; piece <= pieces; ++piece) {
        const Point to = hand.place(between(stroke, i, static_cast<float>(piece) / pieces));
        draw_piece(pixels, from, to, hand);
        from = to;
      }
  }
  for (int i = 0; i < side * side; ++i) pixels[i] = std::clamp(pixels[i] + chance.spread(0.08f), 0.f, 1.f);
}

}  // namespace

Digits draw_digits(int64_t count, uint32_t seed) {
  Chance chance(seed);
  Digits digits{tapegrad::zeros({count, 1, side, side}), tapegrad::empty({count}, tapegrad::kInt64)};
  float* pixels = digits.images.data_ptr<float>();
  int64_t* labels = digits.labels.data_ptr<int64_t>();
  for (int64_t i = 0; i < count; ++i, pixels += side * side) {
    const size_t digit = chance.below(10);
    labels[i] = static_cast<int64_t>(digit);
    const std::vector<Glyph>& candidates = ways()[digit];
    draw(pixels, candidates[chance.below(candidates.size())], chance);
  }
  return digits;
}

}  // namespace examples
