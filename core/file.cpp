// Reading, mapping, and replacing files.
#include "tapegrad/core/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "tapegrad/core/error.h"
#include "tapegrad/core/quote.h"

namespace tapegrad {
namespace {

// Until all is done, or a step does nothing, or fails with errno set.
template <class Step> size_t transfer(size_t bytes, const Step& step) {
  size_t done = 0;
  errno = 0;
  while (done < bytes) {
    const ssize_t n = step(done, bytes - done);
    if (n < 0 && errno == EINTR) {
      errno = 0;
      continue;
    }
    if (n <= 0) break;
    done += static_cast<size_t>(n);
  }
  return done;
}

void check_regular(const FilePlace& place, mode_t mode) {
  if (!S_ISREG(mode))
    place.fail(S_ISDIR(mode) ? "a file is needed, got a directory"
                             : "a regular file is needed, got a device or a pipe");
}

// Where links lead.
std::string target_of(const FilePlace& place, const std::string& path) {
  struct stat info;
  if (::stat(path.c_str(), &info) != 0) return path;
  check_regular(place, info.st_mode);
  char* real = ::realpath(path.c_str(), nullptr);
  std::string target = real ? real : path;
  std::free(real);
  return target;
}

// A name that nobody has. A process that was killed leaves its own behind, and the next one may have its number.
std::string name_beside(const std::string& target) {
  static std::atomic<unsigned> counter{0};
  for (;;) {
    std::string name = target + ".tmp-" + std::to_string(::getpid()) + "-" + std::to_string(counter++);
    if (::access(name.c_str(), F_OK) != 0) return name;
  }
}

std::string folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == path.npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

FilePlace::FilePlace(const char* who, const std::string& path) : op(who), where(quoted_bytes(path, path.size())) {}

void FilePlace::fail(const std::string& what) const { throw IOError(std::string(op) + ": " + where + ": " + what); }

void FilePlace::fail(const std::string& what, int reason) const {
  fail(reason == 0 ? what : what + ": " + std::strerror(reason));
}

FilePlace FilePlace::inside(const std::string& part) const {
  FilePlace place = *this;
  place.where += ": " + quoted_bytes(part);
  return place;
}

OpenFile::OpenFile(const std::string& path, int flags, unsigned mode)
    : fd_(::open(path.c_str(), flags | O_CLOEXEC, mode)) {}
OpenFile::~OpenFile() {
  if (fd_ >= 0) ::close(fd_);
}
bool OpenFile::close() { return ::close(std::exchange(fd_, -1)) == 0; }

InputFile::InputFile(const char* op, const std::string& path)
    : place_(op, path), file_(path, O_RDONLY | O_NONBLOCK) {  // a pipe must not block: it is refused
  if (!file_.is_open()) place_.fail("cannot open", errno);
  struct stat info;
  if (::fstat(file_.descriptor(), &info) != 0) place_.fail("cannot stat", errno);
  check_regular(place_, info.st_mode);
  size_ = static_cast<uint64_t>(info.st_size);
}

size_t InputFile::read_some(uint64_t offset, void* to, size_t bytes) const {
  return transfer(bytes, [&](size_t done, size_t n) {
    return ::pread(file_.descriptor(), static_cast<char*>(to) + done, n, static_cast<off_t>(offset + done));
  });
}

void InputFile::read(uint64_t offset, void* to, size_t bytes, const char* what) const {
  const size_t got = read_some(offset, to, bytes);
  if (got != bytes)
    place_.fail(std::string(what) + ": expected " + std::to_string(bytes) + " bytes, got " + std::to_string(got),
                errno);
}

Ref<Mapping> Mapping::of(const InputFile& file) {
  // Not reserved: a file larger than the memory may be mapped, for only pages that are written to take any.
  void* const data =
      ::mmap(nullptr, file.size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, file.descriptor(), 0);
  if (data == MAP_FAILED) file.place().fail("cannot map " + std::to_string(file.size()) + " bytes", errno);
  return Ref<Mapping>::adopt(new Mapping(static_cast<char*>(data), file.size()));
}

Mapping::~Mapping() { ::munmap(data_, bytes_); }

OutputFile::OutputFile(const char* op, const std::string& path, uint64_t bytes)
    : place_(op, path),
      bytes_(bytes),
      target_(target_of(place_, path)),
      beside_(name_beside(target_)),
      file_(beside_, O_WRONLY | O_CREAT | O_EXCL) {
  if (!file_.is_open()) place_.fail("cannot create a file there", errno);
  there_ = true;
  struct stat info;
  if (::stat(target_.c_str(), &info) == 0 && ::fchmod(file_.descriptor(), info.st_mode & 07777) != 0) {
    const int reason = errno;
    ::unlink(beside_.c_str());
    fail(reason);
  }
}

OutputFile::~OutputFile() {
  if (there_) ::unlink(beside_.c_str());
}

void OutputFile::fail(int reason) const { place_.fail("cannot write " + std::to_string(bytes_) + " bytes", reason); }

void OutputFile::write(const void* from, size_t bytes) {
  const size_t done = transfer(
      bytes, [&](size_t at, size_t n) { return ::write(file_.descriptor(), static_cast<const char*>(from) + at, n); });
  if (done != bytes) fail(errno ? errno : ENOSPC);
}

void OutputFile::finish() {
  // The folder is opened before anything is replaced. One that may be written to but not read has no descriptor to sync.
  const OpenFile folder(folder_of(target_), O_RDONLY | O_DIRECTORY);
  if (::fsync(file_.descriptor()) != 0 || !file_.close()) fail(errno);
  if (::rename(beside_.c_str(), target_.c_str()) != 0) fail(errno);
  there_ = false;
  if (folder.is_open() && ::fsync(folder.descriptor()) != 0 && errno != EINVAL && errno != ENOTSUP)
    place_.fail("the file is written, but its folder could not be synced, so a power failure may undo it", errno);
}

}  // namespace tapegrad
