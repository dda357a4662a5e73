//===- MetricsFile.cpp - metrics.jsonl, appended and resumed --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/io/AtomicFile.h"
#include "runtime/io/MappedFile.h"
#include "runtime/train/Metrics.h"

#include "absl/strings/str_cat.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace t6 {

using nlohmann::ordered_json;

/// What of `text` a run that goes on at `from` keeps.
static absl::StatusOr<std::string> keptLines(absl::string_view text,
                                             const std::string &path,
                                             MetricsFile::Resumption from) {
  std::string kept;
  for (int64_t number = 1; !text.empty(); ++number) {
    size_t end = text.find('\n');
    bool whole = end != absl::string_view::npos;
    absl::string_view line = text.substr(0, end);
    text.remove_prefix(whole ? end + 1 : text.size());
    ordered_json record = ordered_json::parse(line, nullptr, false);
    auto iteration = record.is_object() ? record.find("iter") : record.end();
    if (!record.is_object() || iteration == record.end() ||
        !iteration->is_number_integer()) {
      // The process was killed while it wrote this.
      if (!whole)
        break;
      return absl::DataLossError(
          absl::StrCat(path, ":", number,
                       ": is not a record of a step; HINT: the file is damaged "
                       "or something else: move it away"));
    }
    int64_t step = iteration->get<int64_t>();
    bool isEvaluation = record.contains("val/loss");
    if (step < from.iteration ||
        (step == from.iteration && isEvaluation && from.evaluated))
      absl::StrAppend(&kept, line, "\n");
  }
  return kept;
}

absl::StatusOr<std::unique_ptr<MetricsFile>>
MetricsFile::open(const std::string &path) {
  int fd =
      ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0)
    return fileError(errno, "open", path);
  return std::unique_ptr<MetricsFile>(new MetricsFile(path, fd));
}

absl::StatusOr<std::unique_ptr<MetricsFile>>
MetricsFile::create(const std::string &path) {
  struct stat info;
  if (stat(path.c_str(), &info) == 0 && info.st_size != 0)
    return absl::AlreadyExistsError(
        absl::StrCat(path, " has the metrics of another run; HINT: resume that "
                           "run, or choose another folder"));
  return open(path);
}

absl::StatusOr<std::unique_ptr<MetricsFile>>
MetricsFile::resume(const std::string &path, Resumption from) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0 || info.st_size == 0)
    return open(path);
  {
    absl::StatusOr<std::unique_ptr<MappedFile>> file = MappedFile::open(path);
    if (!file.ok())
      return file.status();
    absl::string_view text(
        reinterpret_cast<const char *>((*file)->bytes().data()),
        (*file)->bytes().size());
    absl::StatusOr<std::string> kept = keptLines(text, path, from);
    if (!kept.ok())
      return kept.status();
    if (*kept != text) {
      absl::Status written = writeFileAtomically(path, *kept);
      if (!written.ok())
        return written;
    }
  }
  return open(path);
}

MetricsFile::~MetricsFile() { close(fd); }

absl::Status MetricsFile::append(const ordered_json &record) {
  struct stat before;
  if (fstat(fd, &before) != 0)
    return fileError(errno, "write", path);
  // Text that is no UTF-8 must not end the run.
  std::string line =
      record.dump(-1, ' ', false, ordered_json::error_handler_t::replace) +
      "\n";
  size_t written = 0;
  while (written < line.size()) {
    ssize_t bytes = write(fd, line.data() + written, line.size() - written);
    if (bytes < 0 && errno == EINTR)
      continue;
    if (bytes < 0) {
      absl::Status status = fileError(errno, "write", path);
      // Half a line would make all that follows unreadable.
      if (written != 0 && ftruncate(fd, before.st_size) != 0)
        return absl::Status(
            status.code(),
            absl::StrCat(status.message(), "; its last line is cut off"));
      return status;
    }
    written += static_cast<size_t>(bytes);
  }
  return absl::OkStatus();
}

} // namespace t6
