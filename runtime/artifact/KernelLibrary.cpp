//===- KernelLibrary.cpp - An artifact's machine code, loaded -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/artifact/KernelLibrary.h"

#include "runtime/artifact/CpuFeatures.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include <cerrno>
#include <cstring>
#include <dlfcn.h>
#include <elf.h>
#include <sys/mman.h>
#include <unistd.h>
#include <utility>

namespace t6 {

static absl::Status damaged(absl::string_view source, absl::string_view what) {
  return absl::DataLossError(absl::StrCat(
      source, ": ", what, ". HINT: compile it again with tpa-opt"));
}

absl::Status checkCpu(const CpuTarget &cpu, absl::string_view source) {
  std::vector<std::string> absent, unknown;
  for (const std::string &feature : cpu.features) {
    FeatureSupport support = cpuFeature(feature);
    if (support == FeatureSupport::Absent)
      absent.push_back(feature);
    else if (support == FeatureSupport::Unknown)
      unknown.push_back(feature);
  }
  constexpr absl::string_view kHint =
      ". HINT: recompile with --cpu=x86-64-v3, or with --cpu=native on this "
      "machine";
  if (!absent.empty())
    return absl::FailedPreconditionError(absl::StrCat(
        source, ": compiled for the CPU '", cpu.name, "', and this CPU lacks ",
        absl::StrJoin(absent, ", "), kHint));
  if (!unknown.empty())
    return absl::FailedPreconditionError(absl::StrCat(
        source, ": needs CPU features that this runtime does not know: ",
        absl::StrJoin(unknown, ", "), kHint));
  return absl::OkStatus();
}

/// The dynamic loader trusts its input, so what is plainly no library for this
/// machine is refused first.
static absl::Status checkElf(absl::string_view elf, absl::string_view source) {
  Elf64_Ehdr header;
  if (elf.size() < sizeof(header))
    return damaged(source, "is too short to be a shared object");
  std::memcpy(&header, elf.data(), sizeof(header));
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
      header.e_ident[EI_CLASS] != ELFCLASS64 ||
      header.e_ident[EI_DATA] != ELFDATA2LSB || header.e_type != ET_DYN)
    return damaged(source, "is not a 64-bit ELF shared object");
  if (header.e_machine != EM_X86_64)
    return damaged(source, "is not for x86-64");
  uint64_t tableBytes = uint64_t{header.e_phnum} * sizeof(Elf64_Phdr);
  if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phoff > elf.size() ||
      tableBytes > elf.size() - header.e_phoff)
    return damaged(source, "has program headers outside of the file");
  for (unsigned i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    std::memcpy(&segment, elf.data() + header.e_phoff + i * sizeof(segment),
                sizeof(segment));
    // A mapping past the end of the file would fault on first use.
    if (segment.p_filesz > elf.size() ||
        segment.p_offset > elf.size() - segment.p_filesz)
      return damaged(source, "has a segment outside of the file");
  }
  return absl::OkStatus();
}

/// A file in memory with the contents of `bytes`, or -1 and errno.
static int openInMemory(absl::string_view bytes) {
  int descriptor = memfd_create("t6-kernels", MFD_CLOEXEC);
  if (descriptor < 0)
    return -1;
  size_t done = 0;
  while (done < bytes.size()) {
    ssize_t put = write(descriptor, bytes.data() + done, bytes.size() - done);
    if (put < 0 && errno == EINTR)
      continue;
    if (put <= 0) {
      int error = errno;
      close(descriptor);
      errno = error;
      return -1;
    }
    done += put;
  }
  return descriptor;
}

absl::StatusOr<KernelLibrary> KernelLibrary::load(absl::string_view elf,
                                                  const Program &program,
                                                  absl::string_view source) {
  absl::Status status = checkCpu(program.cpu, source);
  if (status.ok())
    status = checkElf(elf, source);
  if (!status.ok())
    return status;
  KernelLibrary library;
  // The descriptor stays open as long as the library: the loader knows
  // libraries by path, and a reused number would return this library for
  // another.
  library.descriptor = openInMemory(elf);
  if (library.descriptor < 0)
    return absl::ResourceExhaustedError(absl::StrCat(
        source, ": cannot be copied to memory: ", std::strerror(errno),
        ". HINT: raise the limits of memory and file size (ulimit)"));
  std::string path = absl::StrCat("/proc/self/fd/", library.descriptor);
  library.handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library.handle)
    return damaged(source, absl::StrCat("cannot be loaded (", dlerror(), ")"));
  library.functions.reserve(program.kernels.size());
  for (const Kernel &kernel : program.kernels) {
    void *address = dlsym(library.handle, kernel.symbol.c_str());
    if (!address)
      return damaged(source,
                     absl::StrCat("lacks the kernel '", kernel.symbol, "'"));
    library.functions.push_back(reinterpret_cast<t6_kernel_fn>(address));
  }
  return library;
}

KernelLibrary::KernelLibrary(KernelLibrary &&other) noexcept
    : handle(std::exchange(other.handle, nullptr)),
      descriptor(std::exchange(other.descriptor, -1)),
      functions(std::move(other.functions)) {}

KernelLibrary &KernelLibrary::operator=(KernelLibrary &&other) noexcept {
  std::swap(handle, other.handle);
  std::swap(descriptor, other.descriptor);
  std::swap(functions, other.functions);
  return *this;
}

KernelLibrary::~KernelLibrary() {
  if (handle)
    dlclose(handle);
  if (descriptor >= 0)
    close(descriptor);
}

} // namespace t6
