// Files that hold tensors: errors with path and reason, contents in memory, and writes that appear whole or not at all. Internal.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tapegrad/core/ref.h"

namespace tapegrad {

// Who reads or writes what: fail("header: ...") is the IOError `op: "path": header: ...`.
struct FilePlace {
  FilePlace(const char* op, const std::string& path);
  [[noreturn]] void fail(const std::string& what) const;
  // The same with `strerror(reason)` behind it; 0: without.
  [[noreturn]] void fail(const std::string& what, int reason) const;
  // A part of the file, quoted.
  FilePlace inside(const std::string& part) const;

  const char* op;
  std::string where;
};

// An open file, closed at the end of the scope.
class OpenFile {
 public:
  OpenFile(const std::string& path, int flags, unsigned mode = 0666);
  ~OpenFile();
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  bool is_open() const { return fd_ >= 0; }
  int descriptor() const { return fd_; }
  // False, with errno set, where the last of what was written could not be.
  bool close();

 private:
  int fd_;
};

// A regular file, for reading.
class InputFile {
 public:
  InputFile(const char* op, const std::string& path);
  const FilePlace& place() const { return place_; }
  uint64_t size() const { return size_; }
  // Bytes read, fewer than asked for at the end of the file or on an error, then with errno set.
  size_t read_some(uint64_t offset, void* to, size_t bytes) const;
  // All of them, or an IOError that says `what` they are.
  void read(uint64_t offset, void* to, size_t bytes, const char* what) const;
  int descriptor() const { return file_.descriptor(); }

 private:
  FilePlace place_;
  OpenFile file_;
  uint64_t size_ = 0;
};

// The contents of a file, paged in when they are touched. Writes go to a private copy of the page, never to the file.
class Mapping {
 public:
  static Ref<Mapping> of(const InputFile& file);
  char* data() const { return data_; }
  uint64_t bytes() const { return bytes_; }
  void retain() { refs_.increment(); }
  void release() {
    if (refs_.decrement()) delete this;
  }

 private:
  Mapping(char* data, uint64_t bytes) : data_(data), bytes_(bytes) {}
  ~Mapping();
  RefCount refs_;
  char* data_;
  uint64_t bytes_;
};

// A file that appears whole or not at all: it is written beside `path` under another name, and finish() puts it in its place once
// it is on the disk. Without finish() it goes away again. Links are followed; only a regular file is replaced, and keeps its mode.
class OutputFile {
 public:
  // `bytes`: how many will be written, for errors.
  OutputFile(const char* op, const std::string& path, uint64_t bytes);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;
  void write(const void* from, size_t bytes);
  void write(std::string_view text) { write(text.data(), text.size()); }
  void finish();

 private:
  [[noreturn]] void fail(int reason) const;
  FilePlace place_;
  uint64_t bytes_;
  std::string target_, beside_;
  OpenFile file_;
  bool there_ = false;
};

}  // namespace tapegrad
