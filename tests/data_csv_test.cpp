// CSV files: records, types, missing values, and errors that say where.
#include <tapegrad/tapegrad.h>

#include <cmath>

#include "folder.h"
#include "message.h"

using namespace tapegrad;
using data::CSVHeader;
using data::CSVOptions;
using data::CSVType;

namespace {

using Names = std::vector<std::string>;

data::Table read(const std::string& text, const CSVOptions& options = {}) {
  const Folder folder;
  return data::read_csv(folder.write("t.csv", text), options);
}

// The message behind the name of the file.
std::string error(const std::string& text, const CSVOptions& options = {}) {
  const std::string message = message_of<IOError>([&] { read(text, options); });
  const size_t at = message.find("t.csv");
  return at == std::string::npos ? message : message.substr(at);
}

const std::string kPeople = "name,age,weight\nann,30,61.5\nbob,41,80\n\"smith, j\",7,22.25\n";

}  // namespace

TEST_CASE("a CSV file becomes columns of numbers and categories", "[data]") {
  const data::Table table = read(kPeople);
  CHECK(table.rows() == 3);
  CHECK(table.names() == Names{"name", "age", "weight"});
  CHECK(table.type("name") == CSVType::kCategory);
  CHECK(table.type("age") == CSVType::kInt64);
  CHECK(table.type("weight") == CSVType::kFloat64);
  CHECK(equal(table.column("age"), tensor({30, 41, 7})));
  CHECK(equal(table.column("weight"), tensor({61.5, 80.0, 22.25}, kFloat64)));
  CHECK(table.categories("name") == Names{"ann", "bob", "smith, j"});
  CHECK(table.categories("age").empty());
  CHECK(equal(table.tensor(), tensor({{0.0, 30.0, 61.5}, {1.0, 41.0, 80.0}, {2.0, 7.0, 22.25}})));
  CHECK(equal(table.tensor({"weight", "age"}, kFloat64), tensor({{61.5, 30.0}, {80.0, 41.0}, {22.25, 7.0}}, kFloat64)));
  CHECK(equal(table.tensor({"age"}, kInt64), tensor({{30}, {41}, {7}})));
  CHECK_THAT(message_of<ValueError>([&] { table.column("size"); }),
             Contains("Table::column: ") && Contains("\"name\", \"age\", \"weight\", got \"size\""));
  CHECK_THROWS_AS(table.tensor({"age", "size"}), ValueError);
}

TEST_CASE("line ends, byte order mark and empty lines do not matter", "[data]") {
  const Tensor expected = tensor({{1.0, 2.0}, {3.0, 4.0}});
  for (const char* text : {"a,b\n1,2\n3,4\n", "a,b\n1,2\n3,4", "a,b\r\n1,2\r\n3,4\r\n", "a,b\r1,2\r3,4\r",
                           "\uFEFFa,b\r\n1,2\n3,4", "\n\na,b\n\n1,2\r\n\r\n3,4\n\n\n", "a,b\n 1 ,+2\n3e0,\t4\n"}) {
    INFO(text);
    const data::Table table = read(text);
    CHECK(table.names() == Names{"a", "b"});
    CHECK(equal(table.tensor(), expected));
  }
}

TEST_CASE("quoted fields hold what unquoted ones cannot", "[data]") {
  const data::Table table = read("\"a \"\"b\"\"\",c\n\"x,y\r\nz\",\"1\"\n\"\"\"\",2\nplain,\"3\"");
  CHECK(table.names() == Names{"a \"b\"", "c"});
  CHECK(table.categories("a \"b\"") == Names{"\"", "plain", "x,y\r\nz"});
  CHECK(equal(table.column("a \"b\""), tensor({2, 0, 1})));
  CHECK(equal(table.column("c"), tensor({1, 2, 3})));
  CHECK(read("a;b\n'x;1';2\n", {.delimiter = ';', .quote = '\''}).categories("a") == Names{"x;1"});
  CHECK(read("a\tb\nx y\t 2\n", {.delimiter = '\t'}).categories("a") == Names{"x y"});
  CHECK(read("a,b\n5\",x\n", {.quote = '\0'}).categories("a") == Names{"5\""});
  CHECK(read("a, b\n  x , \"y \" \n", {.trim = true}).categories("b") == Names{"y "});
  CHECK(read("a,b\n x,1\n").categories("a") == Names{" x"});  // as RFC 4180 has it
}

TEST_CASE("the header is there, not there, or found out", "[data]") {
  CHECK(read("a,b\n1,2").rows() == 1);
  CHECK(read("1,2\n3,4").names() == Names{"column1", "column2"});
  CHECK(read("1,2\n3,4").rows() == 2);
  CHECK(read("x,1\ny,2").rows() == 2);
  CHECK(read("x,x\ny,z").rows() == 2);
  CHECK(read("x,y\nz,w").rows() == 1);
  CHECK(read("x,y\nz,w", {.header = CSVHeader::kNo}).rows() == 2);
  CHECK(read("1,2\n3,4", {.header = CSVHeader::kYes}).names() == Names{"1", "2"});
  CHECK(read(",a\n0,5").names() == Names{"column1", "a"});
  const data::Table bare = read("a,b\n");
  CHECK(bare.rows() == 0);
  CHECK(bare.tensor().sizes().vec() == std::vector<int64_t>{0, 2});
  CHECK(error("a,b,a\n1,2,3", {.header = CSVHeader::kYes}) ==
        "t.csv, line 1, column 3: the names of columns must differ, got \"a\" twice");
}

TEST_CASE("types follow from the values, or are asked for", "[data]") {
  const data::Table table =
      read("i,f,big,huge,inf,c\n1,1,9223372036854775807,9223372036854775808,inf,1\n-2,.5,0,1,-inf,1x");
  CHECK(table.type("i") == CSVType::kInt64);
  CHECK(table.type("f") == CSVType::kFloat64);
  CHECK(table.column("big")[0].item<int64_t>() == INT64_MAX);
  CHECK(table.type("huge") == CSVType::kFloat64);
  CHECK(table.column("huge")[0].item<double>() == 9223372036854775808.0);
  CHECK(std::isinf(table.column("inf")[1].item<double>()));
  CHECK(table.type("c") == CSVType::kCategory);

  const CSVOptions options{
      .columns = {{"a", CSVType::kFloat64}, {"b", CSVType::kCategory}, {"c", CSVType::kCategory, {"z", "y"}}}};
  const data::Table asked = read("a,b,c\n1,10,y\n2,9,z\n", options);
  CHECK(asked.column("a").dtype() == kFloat64);
  CHECK(asked.categories("b") == Names{"10", "9"});
  CHECK(equal(asked.column("c"), tensor({1, 0})));
  CHECK(error("a,b,c\n1,10,y\n2,9,x\n", options) ==
        "t.csv, line 3, column 3 \"c\": expected one of the 2 categories given, got \"x\"");
  CHECK(error("a,b,c\n1,1,y\nno,1,y\n", options) ==
        "t.csv, line 3, column 1 \"a\": expected a number (float64), got \"no\"");
  const CSVOptions integers{.columns = {{"a", CSVType::kInt64}}};
  CHECK(error("a\n1\n1.5\n", integers) == "t.csv, line 3, column 1 \"a\": expected an integer (int64), got \"1.5\"");
  CHECK(error("a\n9223372036854775808\n", integers) ==
        "t.csv, line 2, column 1 \"a\": expected an integer (int64) within its range, got \"9223372036854775808\"");
  CHECK(error("a\n1e999\n") ==
        "t.csv, line 2, column 1 \"a\": expected a number (float64) within its range, got \"1e999\"");
  CHECK_THAT(message_of<ValueError>([&] { read("x,y\n1,2", integers); }), Contains("t.csv") && Contains("got \"a\""));
  CHECK_THAT(message_of<ValueError>([&] {
               read("a\n1", {.columns = {{"a", CSVType::kInt64, {"x"}}}});
             }),
             Contains("categories are for columns of type kCategory"));
  CHECK_THAT(message_of<ValueError>([] {
               read("a\nx", {.columns = {{"a", CSVType::kCategory, {"x", "y", "x"}}}});
             }),
             Contains("the categories of a column must differ, got one of \"a\" twice"));
  CHECK_THAT(message_of<ValueError>([] {
               read("a\n1", {.columns = {{"a", CSVType::kInt64}, {"a", CSVType::kFloat64}}});
             }),
             Contains("columns must name each column once, got \"a\" again"));
}

TEST_CASE("a missing value is an error, or NaN when asked", "[data]") {
  const std::string text = "a,b,c\n1,2.5,x\n,NA,\n3,nan,y\n";
  CHECK(error(text) ==
        "t.csv, line 3, column 1 \"a\": expected a value, got a missing one, \"\" (missing_as_nan = true reads NaN)");
  CHECK_THAT(error("a,b\n1,2\n\n4,NA"), Contains("line 4, column 2 \"b\"") && Contains("\"NA\""));
  const data::Table table = read(text, {.missing_as_nan = true});
  CHECK(table.type("a") == CSVType::kFloat64);
  CHECK(std::isnan(table.column("a")[1].item<double>()));
  CHECK(table.column("a")[2].item<double>() == 3);
  CHECK(std::isnan(table.column("b")[1].item<double>()));
  CHECK(std::isnan(table.column("b")[2].item<double>()));
  CHECK(equal(table.column("c"), tensor({0, -1, 1})));
  const Tensor all = table.tensor();
  CHECK(equal(all.isnan().to(kInt64), tensor({{0, 0, 0}, {1, 1, 1}, {0, 1, 0}})));
  CHECK_THAT(message_of<ValueError>([&] { table.tensor({"c"}, kInt64); }), Contains("\"c\": row 1 is missing"));
  CHECK_THAT(error(text, {.missing_as_nan = true, .columns = {{"a", CSVType::kInt64}}}),
             Contains("line 3, column 1 \"a\"") && Contains("missing value"));
  // What counts as missing is the caller's choice.
  CHECK(read("country\nNA\nDE\n", {.missing = {""}}).categories("country") == Names{"DE", "NA"});
  CHECK(read("a,b\n?,1\n2,2\n", {.missing_as_nan = true, .missing = {"?"}}).type("a") == CSVType::kFloat64);
  // Spaces around a field without quotes do not turn a column of numbers into one of categories.
  CHECK(error("a,b\n1, \n2,3\n") ==
        "t.csv, line 2, column 2 \"b\": expected a value, got a missing one, \" \" (missing_as_nan = true reads NaN)");
  CHECK(read("a,b\n1, NA\n2, 3\n", {.missing_as_nan = true}).type("b") == CSVType::kFloat64);
  CHECK(read("a,b\n1,\" \"\n2,x\n").categories("b") == Names{" ", "x"});
  const data::Table nothing = read("a,b\n,1\n,2\n", {.missing_as_nan = true});
  CHECK(nothing.column("a").isnan().to(kInt64).sum().item<int64_t>() == 2);
}

TEST_CASE("a malformed CSV file says where", "[data]") {
  CHECK(error("") == "t.csv, line 1, column 1: expected at least one record, got an empty file");
  CHECK(error("\r\n\n") == "t.csv, line 1, column 1: expected at least one record, got empty lines only");
  CHECK(error("\xef\xbb\xbf") == "t.csv, line 1, column 1: expected at least one record, got empty lines only");
  CHECK(error("a,b,c\n1,2,3\n4,5\n") == "t.csv, line 3, column 3 \"c\": expected 3 fields, as line 1 has, got 2");
  CHECK(error("\na,b\n1,2\n\n3,4,5,6") == "t.csv, line 5, column 3: expected 2 fields, as line 2 has, got 4");
  CHECK(error("a,b\n\"x\ny\",1\n\"z\n\",1,2") == "t.csv, line 5, column 3: expected 2 fields, as line 1 has, got 3");
  CHECK(error("column2,\n1,2\n") ==
        "t.csv, line 1, column 2: the names of columns must differ, got \"column2\" twice (a column without a name is "
        "called after its place)");
  CHECK_THAT(error("a,b\n1,x\"y\"\n"), Contains("line 2, column 2: a field with a quote inside must be quoted"));
  CHECK_THAT(error("a,b\n1,\"x\"y\n"), Contains("line 2, column 2: a closing quote must end the field, got \"y\""));
  CHECK_THAT(error("a,b\n1,2\n3,\"x\n\n"), Contains("line 3, column 2: the quote that opens here"));
  CHECK_THAT(error("a,b\n1,\"\"\"\n"), Contains("line 2, column 2: the quote that opens here"));
  const Folder folder;
  CHECK_THAT(message_of<IOError>([&] { data::read_csv(folder.path() + "/none.csv"); }),
             Contains("none.csv") && Contains("No such file"));
  CHECK_THAT(message_of<IOError>([&] { data::read_csv(folder.path()); }), Contains("directory"));
  CHECK_THAT(message_of<ValueError>([&] { read("a", {.delimiter = '"'}); }), Contains("must differ"));
  CHECK_THAT(message_of<ValueError>([&] { read("a", {.delimiter = '\n'}); }), Contains("no line ends"));
}

TEST_CASE("a table feeds a loader", "[data]") {
  std::string text = "x1,x2,kind\n";
  for (int i = 0; i < 50; ++i)
    text += std::to_string(i) + "," + std::to_string(0.5 * i) + "," + (i % 2 ? "odd" : "even") + "\n";
  const data::Table table = read(text);
  data::DataLoader loader(data::TensorDataset(table.tensor({"x1", "x2"}), table.column("kind")),
                          {.batch_size = 8, .shuffle = true, .seed = 1, .workers = 1});
  int64_t seen = 0;
  for (auto& [x, y] : loader) {
    for (int64_t i = 0; i < x.size(0); ++i, ++seen) {
      CHECK(x[i][1].item<float>() == 0.5f * x[i][0].item<float>());
      CHECK(y[i].item<int64_t>() == x[i][0].item<int64_t>() % 2);
    }
  }
  CHECK(seen == 50);
}
