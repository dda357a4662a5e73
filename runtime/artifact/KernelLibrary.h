//===- KernelLibrary.h - An artifact's machine code, loaded -----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_ARTIFACT_KERNELLIBRARY_H
#define T6_RUNTIME_ARTIFACT_KERNELLIBRARY_H

#include "runtime/schema/KernelAbi.h"
#include "runtime/schema/Program.h"

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include <string>
#include <vector>

namespace t6 {

/// The kernels of a program, in its order. Unloads them when destroyed.
///
/// The code runs with the rights of this process: a checksum finds damage, not
/// malice, so an artifact is to be trusted as any program is.
class KernelLibrary {
public:
  /// Loads the shared object `elf` and resolves every kernel of `program`.
  /// FailedPrecondition: the CPU lacks a feature that the program was compiled
  /// for. DataLoss: not a loadable object, or a symbol is missing. `source`
  /// names the file in messages.
  static absl::StatusOr<KernelLibrary>
  load(absl::string_view elf, const Program &program, absl::string_view source);
  KernelLibrary(KernelLibrary &&other) noexcept;
  KernelLibrary &operator=(KernelLibrary &&other) noexcept;
  ~KernelLibrary();

  absl::Span<const t6_kernel_fn> kernels() const { return functions; }

private:
  KernelLibrary() = default;
  void *handle = nullptr;
  int descriptor = -1;
  std::vector<t6_kernel_fn> functions;
};

/// FailedPrecondition, naming every feature of `cpu` that this machine lacks or
/// this runtime does not know.
absl::Status checkCpu(const CpuTarget &cpu, absl::string_view source);

} // namespace t6

#endif // T6_RUNTIME_ARTIFACT_KERNELLIBRARY_H
