// Reads the command line of gradcheck_ops; an error names what was meant.
#include "options.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <thread>

namespace gradcheck_ops {
namespace {

constexpr const char* kCoverage = "coverage";

size_t distance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, changed});
    }
  }
  return row.back();
}

std::string did_you_mean(const std::string& name, const std::vector<std::string>& names,
                         const std::string& list = "--list") {
  const std::string close = nearest(name, names);
  return close.empty() ? " (" + list + " shows them)" : " (did you mean " + close + "?)";
}

std::vector<std::string> split(const std::string& option, const std::string& text) {
  std::vector<std::string> parts;
  for (size_t start = 0; start <= text.size();) {
    const size_t end = std::min(text.find(',', start), text.size());
    if (end == start) throw UsageError(option + ": names separated by commas, got \"" + text + "\"");
    parts.push_back(text.substr(start, end - start));
    start = end + 1;
  }
  return parts;
}

uint64_t whole_number(const std::string& option, const std::string& text, uint64_t least) {
  uint64_t n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (error == std::errc() && end == text.data() + text.size() && n >= least) return n;
  throw UsageError(option + ": a whole number from " + std::to_string(least) + ", got \"" + text + "\"");
}

void choose_rows(Options& options, const std::vector<std::string>& chosen, const std::vector<Row>& rows) {
  std::vector<std::string> names;
  for (const Row& row : rows) {
    names.push_back(row.name);
    if (chosen.empty() || std::find(chosen.begin(), chosen.end(), row.name) != chosen.end())
      options.rows.push_back(&row);
  }
  for (const std::string& name : chosen) {
    if (std::find(names.begin(), names.end(), name) == names.end())
      throw UsageError("--op: no op \"" + name + "\" in the table" + did_you_mean(name, names));
  }
}

void choose_properties(Options& options, const std::vector<std::string>& chosen) {
  const auto wanted = [&](const std::string& name) {
    return chosen.empty() || std::find(chosen.begin(), chosen.end(), name) != chosen.end();
  };
  std::vector<std::string> names{kCoverage};
  for (const Property& property : op_properties::properties()) {
    names.push_back(property.name);
    if (wanted(property.name)) options.properties.push_back(&property);
  }
  options.coverage = wanted(kCoverage);
  for (const std::string& name : chosen) {
    if (std::find(names.begin(), names.end(), name) == names.end())
      throw UsageError("--property: no property \"" + name + "\"" + did_you_mean(name, names));
  }
}

struct Chosen {
  std::vector<std::string> ops, properties;
};

// Whether it is an option with a value; UsageError when it is none at all.
bool takes_value(const std::string& option) {
  static const std::vector<std::string> with{"--op", "--property", "--seed", "--json", "--threads"};
  if (std::find(with.begin(), with.end(), option) != with.end()) return true;
  if (option == "--list" || option == "--help" || option == "-h") return false;
  std::vector<std::string> known = with;
  known.insert(known.end(), {"--list", "--help"});
  throw UsageError("no option \"" + option + "\"" + did_you_mean(option, known, "--help"));
}

void set(Options& options, Chosen& chosen, const std::string& option, const std::string& value) {
  const auto add = [&](std::vector<std::string>& names) {
    for (std::string& name : split(option, value)) names.push_back(std::move(name));
  };
  if (option == "--op") add(chosen.ops);
  if (option == "--property") add(chosen.properties);
  if (option == "--seed") options.seed = whole_number(option, value, 0);
  if (option == "--threads")
    options.processes = static_cast<int>(std::min<uint64_t>(whole_number(option, value, 1), 1024));
  if (option != "--json") return;
  if (value.empty()) throw UsageError("--json: a file, or - for the standard output, got \"\"");
  options.json = value;
}

}  // namespace

std::string nearest(const std::string& name, const std::vector<std::string>& names) {
  std::vector<std::pair<size_t, std::string>> close;
  for (const std::string& candidate : names) {
    const size_t d = candidate.find(name) != std::string::npos && name.size() > 2 ? 1 : distance(name, candidate);
    const std::pair<size_t, std::string> entry{d, candidate};
    if (d <= std::max<size_t>(1, name.size() / 3) && std::find(close.begin(), close.end(), entry) == close.end())
      close.push_back(entry);
  }
  std::stable_sort(close.begin(), close.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  if (close.size() > 3) close.resize(3);
  std::string text;
  for (size_t i = 0; i < close.size(); ++i)
    text += (i == 0 ? "" : i + 1 == close.size() ? " or " : ", ") + close[i].second;
  return text;
}

Options parse(int argc, char** argv, const std::vector<Row>& rows) {
  Options options;
  options.processes = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  Chosen chosen;
  for (int i = 1; i < argc; ++i) {
    std::string option = argv[i];
    const size_t equals = option.find('=');
    std::optional<std::string> value;
    if (option.rfind("--", 0) == 0 && equals != std::string::npos)
      value = option.substr(equals + 1), option.resize(equals);
    if (!takes_value(option)) {
      if (value) throw UsageError(option + ": takes no value, got \"" + *value + "\"");
      (option == "--list" ? options.list : options.help) = true;
      continue;
    }
    if (!value && i + 1 == argc) throw UsageError(option + ": a value must follow");
    set(options, chosen, option, value ? *value : argv[++i]);
  }
  choose_rows(options, chosen.ops, rows);
  choose_properties(options, chosen.properties);
  // What concerns the table as a whole needs the whole table, or to be asked for.
  options.coverage = options.coverage && (chosen.ops.empty() || !chosen.properties.empty());
  return options;
}

std::string usage(const std::string& program) {
  return "usage: " + program +
         " [--op NAME[,NAME]] [--property NAME[,NAME]] [--seed N] [--json FILE|-] [--threads N] [--list] [--help]\n"
         "Holds every op of the table to every property: values, gradients of three orders, both modes, layouts, errors.\n"
         "  --op NAME        only these ops\n"
         "  --property NAME  only these properties; coverage: whether every exported op has a row\n"
         "  --seed N         of operands, cotangents and directions (default 0)\n"
         "  --json FILE      everything found, as JSON; - writes it to the standard output and the table to the error output\n"
         "  --threads N      worker processes (default: one per core)\n"
         "  --list           the properties and the ops\n"
         "Exit status: 0 everything holds, 1 something does not, 2 the command line is wrong.\n";
}

}  // namespace gradcheck_ops
