//===- Artifact.h - A compiled model, opened --------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Opens and verifies a .t6x file: a zip with program.json, kernels.so,
// constants.bin, optionally check.so (reference kernels with the same symbols)
// and the IR under ir/. Runs nothing.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_ARTIFACT_ARTIFACT_H
#define T6_RUNTIME_ARTIFACT_ARTIFACT_H

#include "runtime/artifact/KernelLibrary.h"
#include "runtime/artifact/StoredZip.h"
#include "runtime/schema/Program.h"

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include <memory>
#include <string>
#include <vector>

namespace t6 {

/// Which of an artifact's two sets of kernels.
enum class KernelSet {
  Optimized, ///< kernels.so
  Reference, ///< check.so
};

/// An opened artifact. Reading files from one is not thread-safe.
class Artifact {
public:
  /// Opens `path` and verifies it: the zip, the size and hash of every file
  /// that the program lists, and the program itself. FailedPrecondition:
  /// another schema version. DataLoss: damaged. NotFound and the like: not
  /// readable.
  static absl::StatusOr<std::shared_ptr<const Artifact>>
  open(const std::string &path);
  /// The same for bytes in memory, which must outlive the artifact; `name` is
  /// for messages.
  static absl::StatusOr<std::shared_ptr<const Artifact>>
  fromMemory(absl::string_view bytes, std::string name);

  const std::string &path() const { return source; }
  const Program &program() const { return contents; }
  /// Every entry of the zip, in its order.
  const std::vector<StoredZip::Entry> &files() const { return zip.entries(); }
  /// The bytes of one entry ("ir/fused.mlir"), verified if the program lists
  /// it.
  absl::StatusOr<std::string> readFile(absl::string_view name) const;
  /// Copies constants.bin to `data`, `bytes` bytes. `bytes` must be its size.
  absl::Status readConstants(void *data, int64_t bytes) const;
  /// The size of constants.bin; 0 without one.
  int64_t constantsBytes() const;
  bool hasReference() const { return contents.findFile("check.so") != nullptr; }
  /// Loads a set of kernels into this process, once the CPU is known to fit.
  absl::StatusOr<KernelLibrary> loadKernels(KernelSet set) const;

private:
  Artifact(StoredZip zip, std::string source)
      : zip(std::move(zip)), source(std::move(source)) {}
  static absl::StatusOr<std::shared_ptr<const Artifact>>
  create(absl::StatusOr<StoredZip> zip, const std::string &name);
  absl::Status verify() const;

  StoredZip zip;
  std::string source;
  Program contents;
};

} // namespace t6

#endif // T6_RUNTIME_ARTIFACT_ARTIFACT_H
