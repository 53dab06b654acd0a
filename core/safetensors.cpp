// safetensors: the length of the header in 8 bytes, a JSON header, elements.
#include "tapegrad/core/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <unordered_set>

#include "tapegrad/core/copy.h"
#include "tapegrad/core/file.h"
#include "tapegrad/core/json.h"
#include "tapegrad/core/quote.h"

namespace tapegrad {
namespace {

static_assert(std::endian::native == std::endian::little, "elements are used as they lie in the file");

constexpr uint64_t kLengthBytes = 8, kMostHeader = 100000000;
constexpr const char* kMetadata = "__metadata__";
constexpr const char* kTypeNames[] = {"BOOL", "U8", "I32", "I64", "BF16", "F32", "F64"};

// A tensor as the header describes it.
struct Described {
  std::string name;
  DType dtype = kFloat32;
  Shape sizes;
  int64_t begin = 0, end = 0;  // among the elements
};

struct Header {
  std::vector<Described> tensors;
  Metadata metadata;
};

std::string range(int64_t begin, int64_t end) { return "[" + std::to_string(begin) + ", " + std::to_string(end) + ")"; }

class HeaderReader {
 public:
  HeaderReader(const FilePlace& place, std::string_view text) : place_(place), json_(place, text) {}

  Header read() {
    Header header;
    json_.object([&](const std::string& key) {
      if (key == kMetadata)
        json_.object([&](const std::string& name) { header.metadata.append(name, json_.string()); });
      else header.tensors.push_back(tensor(key));
    });
    json_.end();
    return header;
  }

 private:
  Described tensor(const std::string& name) {
    Described t;
    t.name = name;
    int seen = 0;
    json_.object([&](const std::string& key) {
      ++seen;
      if (key == "dtype") t.dtype = dtype(name);
      else if (key == "shape") t.sizes = sizes(name);
      else if (key == "data_offsets") offsets(t);
      else json_.stop(of(name) + "the keys must be dtype, shape and data_offsets, got " + quoted_bytes(key));
    });
    if (seen != 3) json_.stop(of(name) + "the keys dtype, shape and data_offsets are all needed");
    check_bytes(t);
    return t;
  }
  static std::string of(const std::string& name) { return "tensor " + quoted_bytes(name) + ": "; }
  [[noreturn]] void fail(const std::string& name, const std::string& what) const {
    place_.fail("header: " + of(name) + what);
  }

  DType dtype(const std::string& name) {
    const std::string code = json_.string();
    for (int i = 0; i < kDTypes; ++i) {
      if (code == kTypeNames[i]) return static_cast<DType>(i);
    }
    fail(name, "dtype must be one of F64 F32 BF16 I64 I32 U8 BOOL, got " + quoted_bytes(code));
  }
  Shape sizes(const std::string& name) {
    Shape out;
    json_.array([&] {
      if (out.size() == kMaxRank) fail(name, "shape must have at most 8 sizes");
      out.push_back(json_.count());
    });
    return out;
  }
  void offsets(Described& t) {
    int seen = 0;
    json_.array([&] { (seen++ == 0 ? t.begin : t.end) = json_.count(); });
    if (seen != 2) fail(t.name, "data_offsets must be two numbers, begin and end, got " + std::to_string(seen));
    if (t.begin > t.end) fail(t.name, "data_offsets must not end before they begin, got " + range(t.begin, t.end));
  }
  // Also bounds the products of sizes that strides are made of, where one size is 0.
  void check_bytes(const Described& t) const {
    int64_t bytes = item_size(t.dtype);
    bool empty = false;
    for (const int64_t size : t.sizes) {
      empty |= size == 0;
      if (__builtin_mul_overflow(bytes, std::max<int64_t>(size, 1), &bytes))
        fail(t.name, "its bytes must be fewer than 2^63, got shape " + to_string(t.sizes));
    }
    if (empty) bytes = 0;
    if (t.end - t.begin != bytes)
      fail(t.name, "shape " + to_string(t.sizes) + " of " + name_of(t.dtype) + " takes " + std::to_string(bytes) +
                       " bytes, got data_offsets " + range(t.begin, t.end));
  }

  const FilePlace& place_;
  JsonReader json_;
};

// The format wants every byte to belong to one tensor.
void check_layout(const FilePlace& place, const std::vector<Described>& tensors, int64_t bytes) {
  std::vector<const Described*> order;
  for (const Described& t : tensors) order.push_back(&t);
  std::sort(order.begin(), order.end(), [](const Described* a, const Described* b) {
    return a->begin != b->begin ? a->begin < b->begin : a->end < b->end;
  });
  const auto shown = [](const Described& t) { return quoted_bytes(t.name) + " at " + range(t.begin, t.end); };
  int64_t reached = 0;
  const Described* before = nullptr;
  for (const Described* t : order) {
    if (t->end > bytes)
      place.fail("data: tensor " + shown(*t) + " must lie within the " + std::to_string(bytes) +
                 " bytes of elements that the file has (truncated?)");
    if (t->begin < reached) place.fail("data: tensors must not overlap, got " + shown(*before) + " and " + shown(*t));
    if (t->begin > reached)
      place.fail("data: every byte must belong to a tensor, got none for " + range(reached, t->begin) + " before " +
                 shown(*t));
    reached = t->end;
    before = t;
  }
  if (reached != bytes)
    place.fail("data: the tensors take " + std::to_string(reached) + " bytes, got " + std::to_string(bytes) +
               " (trailing bytes?)");
}

// The text of the header.
std::string_view header_of(const FilePlace& place, const Mapping& mapping) {
  uint64_t length = 0;
  std::memcpy(&length, mapping.data(), kLengthBytes);
  const uint64_t rest = mapping.bytes() - kLengthBytes;
  if (length > rest)
    place.fail("header: expected " + std::to_string(length) + " bytes, got " + std::to_string(rest) +
               " (truncated, or not a safetensors file?)");
  if (length > kMostHeader)
    place.fail("header: it must have at most " + std::to_string(kMostHeader) + " bytes, got " + std::to_string(length));
  const std::string_view text(mapping.data() + kLengthBytes, length);
  if (text.empty() || text[0] != '{')
    place.fail("header: it must begin with '{', got " + quoted_bytes(text.substr(0, 1)));
  return text;
}

// Elements inside a mapping, which they keep.
Tensor mapped(const Ref<Mapping>& mapping, char* data, const Shape& sizes, DType dtype) {
  TensorImpl* t = TensorImpl::create();
  const Tensor whole(Ref<TensorImpl>::adopt(t));
  t->dtype = dtype;
  t->data = data;
  Tensor y = alias(whole, sizes, contiguous_strides(sizes), 0);
  Mapping* const kept = Ref<Mapping>(mapping).detach();
  y.impl()->storage = Storage::wrap(
      data, static_cast<size_t>(y.nbytes()), [](void* m) { static_cast<Mapping*>(m)->release(); }, kept);
  return y;
}

}  // namespace

struct SafetensorsFile::Contents {
  Ref<Mapping> mapping;
  OrderedDict<std::string, Entry> entries;
  Metadata metadata;
};

SafetensorsFile::SafetensorsFile(const std::string& path) {
  const InputFile file("load_safetensors", path);
  if (file.size() < kLengthBytes)
    file.place().fail("a safetensors file has at least 8 bytes, got " + std::to_string(file.size()) +
                      (file.size() == 0 ? " (it is empty)" : ""));
  auto contents = std::make_shared<Contents>();
  contents->mapping = Mapping::of(file);
  const std::string_view text = header_of(file.place(), *contents->mapping);
  Header header = HeaderReader(file.place(), text).read();
  const auto start = static_cast<int64_t>(kLengthBytes + text.size());
  check_layout(file.place(), header.tensors, static_cast<int64_t>(file.size()) - start);
  for (Described& t : header.tensors)
    contents->entries.append(std::move(t.name), Entry{t.dtype, t.sizes, start + t.begin});
  contents->metadata = std::move(header.metadata);
  contents_ = std::move(contents);
}

std::vector<std::string> SafetensorsFile::keys() const { return contents_->entries.keys(); }
auto SafetensorsFile::entries() const -> const OrderedDict<std::string, Entry>& { return contents_->entries; }
const Metadata& SafetensorsFile::metadata() const { return contents_->metadata; }

Tensor SafetensorsFile::at(const Entry& entry) const {
  detail::check_host_read("load_safetensors reads a file, which a replay would not do again (load before the capture)");
  char* const data = contents_->mapping->data() + entry.offset;
  const int64_t item = item_size(entry.dtype);
  const bool aligned = reinterpret_cast<uintptr_t>(data) % static_cast<uintptr_t>(item) == 0;
  const int64_t count = numel_of(entry.sizes, "load_safetensors");
  if (aligned && count > 0 && entry.dtype != kBool) return mapped(contents_->mapping, data, entry.sizes, entry.dtype);
  const Tensor y = new_tensor(entry.sizes, entry.dtype);
  auto* const to = static_cast<char*>(y.data_ptr());
  if (entry.dtype == kBool)
    std::transform(data, data + count, to, [](char c) { return c != 0; });  // others are undefined
  else if (count > 0) std::memcpy(to, data, static_cast<size_t>(count * item));
  return y;
}

Tensor SafetensorsFile::get_tensor(const std::string& name) const {
  const Entry* entry = contents_->entries.find(name);
  if (!entry) {
    std::string known;
    for (const std::string& key : keys()) known += (known.empty() ? "" : ", ") + key;
    throw ValueError("get_tensor: the name must be one of [" + known + "], got \"" + name + "\"");
  }
  return at(*entry);
}

NamedTensors SafetensorsFile::tensors() const {
  NamedTensors out;
  for (const auto& [name, entry] : contents_->entries) out.append(name, at(entry));
  return out;
}

NamedTensors load_safetensors(const std::string& path) { return SafetensorsFile(path).tensors(); }

namespace {

void check_name(const char* what, const std::string& name, std::unordered_set<std::string>& seen) {
  const std::string rule = std::string("save_safetensors: ") + what;
  if (!is_utf8(name)) throw ValueError(rule + " must be UTF-8, got " + quoted_bytes(name));
  if (!seen.insert(name).second) throw ValueError(rule + " must be new, got " + quoted_bytes(name) + " twice");
}

void check(const NamedTensors& tensors, const Metadata& metadata) {
  std::unordered_set<std::string> seen, keys;
  for (const auto& [name, t] : tensors) {
    check_name("a name", name, seen);
    if (name == kMetadata)
      throw ValueError(std::string("save_safetensors: no tensor may be called ") + kMetadata +
                       ", got one (it is the name of the metadata)");
    if (!t.defined())
      throw ValueError("save_safetensors: every tensor must be defined, got an undefined one (Tensor()) for \"" + name +
                       "\"");
  }
  for (const auto& [key, value] : metadata) {
    check_name("a key of the metadata", key, keys);
    if (!is_utf8(value))
      throw ValueError("save_safetensors: metadata must be UTF-8, got " + quoted_bytes(value) + " for \"" + key + "\"");
  }
}

// fn(i, t) for every tensor, those with the largest elements first.
template <class F> void for_each_by_element_size(const NamedTensors& tensors, const F& fn) {
  for (const int64_t bytes : {8, 4, 2, 1}) {
    size_t i = 0;
    for (const auto& [name, t] : tensors) {
      if (t.element_size() == bytes) fn(i, t);
      ++i;
    }
  }
}

// Where each tensor begins.
struct Layout {
  std::vector<int64_t> begin;
  int64_t bytes = 0;
};

Layout layout_of(const NamedTensors& tensors) {
  Layout layout;
  layout.begin.resize(static_cast<size_t>(tensors.size()));
  for_each_by_element_size(tensors, [&](size_t i, const Tensor& t) {
    layout.begin[i] = layout.bytes;
    layout.bytes += t.nbytes();
  });
  return layout;
}

// With the length in front, and padded so that elements are aligned.
std::string header_for(const NamedTensors& tensors, const Metadata& metadata, const Layout& layout) {
  std::string text(kLengthBytes, '\0'), strings;
  for (const auto& [key, value] : metadata)
    strings += (strings.empty() ? "" : ",") + json_quoted(key) + ":" + json_quoted(value);
  text += '{';
  if (!strings.empty()) text += json_quoted(kMetadata) + ":{" + strings + "}";
  size_t i = 0;
  for (const auto& [name, t] : tensors) {
    if (text.size() > kLengthBytes + 1) text += ',';
    text += json_quoted(name) + ":{\"dtype\":\"" + kTypeNames[static_cast<int>(t.dtype())] + "\",\"shape\":[";
    for (int64_t d = 0; d < t.dim(); ++d) text += (d ? "," : "") + std::to_string(t.sizes()[d]);
    const int64_t begin = layout.begin[i++];
    text += "],\"data_offsets\":[" + std::to_string(begin) + "," + std::to_string(begin + t.nbytes()) + "]}";
  }
  text += '}';
  text.append((8 - text.size() % 8) % 8, ' ');
  const uint64_t length = text.size() - kLengthBytes;
  if (length > kMostHeader)
    throw ValueError("save_safetensors: names and metadata must fit in a header of " + std::to_string(kMostHeader) +
                     " bytes, got " + std::to_string(length));
  std::memcpy(text.data(), &length, kLengthBytes);
  return text;
}

}  // namespace

void save_safetensors(const std::string& path, const NamedTensors& tensors, const Metadata& metadata) {
  check(tensors, metadata);
  detail::check_host_read("save_safetensors reads elements, which a replay would not do again (save after the run)");
  const Layout layout = layout_of(tensors);
  const std::string header = header_for(tensors, metadata, layout);
  OutputFile file("save_safetensors", path, header.size() + static_cast<uint64_t>(layout.bytes));
  file.write(header);
  for_each_by_element_size(tensors, [&](size_t, const Tensor& t) {
    const Tensor elements = contiguous_of(t);
    file.write(elements.data_ptr(), static_cast<size_t>(elements.nbytes()));
  });
  file.finish();
}

}  // namespace tapegrad
