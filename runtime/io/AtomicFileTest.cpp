//===- AtomicFileTest.cpp - Tests of files, written and mapped ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/io/AtomicFile.h"

#include "runtime/io/MappedFile.h"
#include "runtime/io/TestSupport.h"
#include "gmock/gmock.h"

#include <csignal>
#include <sys/resource.h>
#include <sys/stat.h>

namespace t6 {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::isError;
using testing::readFile;
using testing::TemporaryFolder;
using ::testing::UnorderedElementsAre;

/// Files larger than this cannot be written while the object lives: the
/// nearest thing to a full disk that every machine has.
class FileSizeLimit {
public:
  explicit FileSizeLimit(rlim_t bytes) {
    getrlimit(RLIMIT_FSIZE, &before);
    rlimit limit = before;
    limit.rlim_cur = bytes;
    setrlimit(RLIMIT_FSIZE, &limit);
    handler = signal(SIGXFSZ, SIG_IGN);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, handler);
  }

private:
  rlimit before;
  void (*handler)(int);
};

TEST(AtomicFile, AppearsOnCommit) {
  TemporaryFolder folder;
  auto file = AtomicFile::create(folder.file("out"));
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_TRUE((*file)->append("abc", 3).ok());
  std::string large(3 << 20, 'x');
  ASSERT_TRUE((*file)->append(large.data(), large.size()).ok());
  ASSERT_TRUE((*file)->append("end", 3).ok());
  EXPECT_EQ(access(folder.file("out").c_str(), F_OK), -1);
  ASSERT_TRUE((*file)->commit().ok());
  EXPECT_THAT(folder.list(), ElementsAre("out"));
  EXPECT_EQ(readFile(folder.file("out")), "abc" + large + "end");
}

TEST(AtomicFile, HasThePermissionsOfANewFile) {
  TemporaryFolder folder;
  mode_t before = umask(027);
  ASSERT_TRUE(writeFileAtomically(folder.file("out"), "x").ok());
  umask(before);
  struct stat info;
  ASSERT_EQ(stat(folder.file("out").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0640u);
}

TEST(AtomicFile, ReplacesAndKeepsOnFailure) {
  TemporaryFolder folder;
  std::string path = folder.write("out", "old");
  {
    auto file = AtomicFile::create(path);
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE((*file)->append("new", 3).ok());
  }
  EXPECT_EQ(readFile(path), "old");
  EXPECT_THAT(folder.list(), ElementsAre("out"));
  ASSERT_TRUE(writeFileAtomically(path, "new").ok());
  EXPECT_EQ(readFile(path), "new");
  EXPECT_THAT(folder.list(), ElementsAre("out"));
}

TEST(AtomicFile, AFailedRenameLeavesNothing) {
  TemporaryFolder folder;
  auto file = AtomicFile::create(folder.file("out"));
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_EQ(mkdir(folder.file("out").c_str(), 0755), 0);
  EXPECT_TRUE(isError((*file)->commit(), absl::StatusCode::kUnknown,
                      {"rename onto", folder.file("out")}));
  file->reset();
  EXPECT_THAT(folder.list(), ElementsAre("out"));
  rmdir(folder.file("out").c_str());
}

TEST(AtomicFile, WritesThroughALink) {
  TemporaryFolder folder;
  std::string target = folder.write("target", "old");
  ASSERT_EQ(symlink(target.c_str(), folder.file("link").c_str()), 0);
  ASSERT_TRUE(writeFileAtomically(folder.file("link"), "new").ok());
  EXPECT_EQ(readFile(target), "new");
  EXPECT_THAT(folder.list(), UnorderedElementsAre("link", "target"));
}

TEST(AtomicFile, AFullDiskLeavesNothing) {
  TemporaryFolder folder;
  std::string large(1 << 20, 'x');
  absl::Status status;
  {
    FileSizeLimit limit(4096);
    status = writeFileAtomically(folder.file("out"), large);
  }
  EXPECT_TRUE(isError(status, absl::StatusCode::kResourceExhausted,
                      {folder.file("out"), "HINT"}));
  EXPECT_THAT(folder.list(), IsEmpty());
}

TEST(AtomicFile, AFullDiskAtCommitLeavesNothing) {
  // Small enough to wait in the buffer until then.
  TemporaryFolder folder;
  absl::Status status;
  {
    FileSizeLimit limit(100);
    status = writeFileAtomically(folder.file("out"), std::string(200, 'x'));
  }
  EXPECT_TRUE(isError(status, absl::StatusCode::kResourceExhausted, {"out"}));
  EXPECT_THAT(folder.list(), IsEmpty());
}

TEST(AtomicFile, RefusesFoldersAndDevices) {
  TemporaryFolder folder;
  EXPECT_TRUE(isError(writeFileAtomically(folder.path, "x"),
                      absl::StatusCode::kUnknown, {"directory", "HINT"}));
  EXPECT_TRUE(isError(writeFileAtomically("/dev/full", "x"),
                      absl::StatusCode::kUnknown, {"/dev/full", "HINT"}));
  EXPECT_TRUE(isError(writeFileAtomically(folder.file("no/such/out"), "x"),
                      absl::StatusCode::kNotFound, {"no/such/out", "HINT"}));
  EXPECT_FALSE(writeFileAtomically("", "x").ok());
}

TEST(MappedFile, MapsBytes) {
  TemporaryFolder folder;
  auto file = MappedFile::open(folder.write("in", "hello"));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ((*file)->bytes(), testing::asBytes("hello"));
  auto empty = MappedFile::open(folder.write("empty", ""));
  ASSERT_TRUE(empty.ok()) << empty.status();
  EXPECT_TRUE((*empty)->bytes().empty());
}

TEST(MappedFile, RefusesWhatIsNoFile) {
  TemporaryFolder folder;
  EXPECT_TRUE(isError(MappedFile::open(folder.file("none")).status(),
                      absl::StatusCode::kNotFound, {"none", "HINT"}));
  EXPECT_TRUE(isError(MappedFile::open(folder.path).status(),
                      absl::StatusCode::kUnknown, {folder.path, "HINT"}));
  ASSERT_EQ(mkfifo(folder.file("fifo").c_str(), 0600), 0);
  EXPECT_TRUE(isError(MappedFile::open(folder.file("fifo")).status(),
                      absl::StatusCode::kUnknown, {"not a regular file"}));
}

TEST(MappedFile, RefusesAnUnreadableFile) {
  // The superuser reads everything, so the rest of this test runs as nobody.
  TemporaryFolder folder;
  std::string path = folder.write("secret", "x");
  ASSERT_EQ(chmod(folder.path.c_str(), 0755), 0);
  ASSERT_EQ(chmod(path.c_str(), 0), 0);
  bool isRoot = geteuid() == 0;
  if (isRoot) {
    ASSERT_EQ(seteuid(65534), 0);
  }
  absl::Status status = MappedFile::open(path).status();
  if (isRoot) {
    ASSERT_EQ(seteuid(0), 0);
  }
  EXPECT_TRUE(isError(status, absl::StatusCode::kPermissionDenied,
                      {"secret", "HINT: check the permissions"}));
}

} // namespace
} // namespace t6
