// The picture index: one page beside the pictures, a section for each tutorial.
#pragma once

#include <string>
#include <vector>

namespace examples {

struct Figure {
  std::string name, stated, got, verdict;  // examples/common/report.h has these columns
};

struct PictureFile {
  std::string file, title, shows;  // examples/common/plot.h has these
};

struct Section {
  std::string program, network, source;
  std::vector<Figure> figures;
  std::vector<PictureFile> pictures;
  double seconds = 0;
  std::string failure;  // empty when the program ended well
  bool met() const { return failure.empty(); }
};

// Writes index.html into pictures_folder() (examples/common/report.h) and returns its path; empty, after saying why on stderr,
// when it cannot. The page refers to nothing but the pictures beside it. `note` stands below its title.
std::string write_index(const std::vector<Section>& sections, const std::string& note);

}  // namespace examples
