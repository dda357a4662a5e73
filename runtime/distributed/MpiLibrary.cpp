//===- MpiLibrary.cpp - Open MPI, loaded at run time ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/distributed/MpiLibrary.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include <dlfcn.h>

namespace t6 {

absl::StatusOr<MpiLibrary> MpiLibrary::load(const std::string &file) {
  // Its plugins look for its symbols among those of the whole program.
  void *loaded = dlopen(file.c_str(), RTLD_NOW | RTLD_GLOBAL);
  if (!loaded)
    return absl::FailedPreconditionError(absl::StrCat(
        "Open MPI is not there: ", dlerror(),
        ". HINT: apt-get install openmpi-bin, on every machine of the run"));
  MpiLibrary library;
  std::string missing;
  auto find = [&](const char *name) {
    void *symbol = dlsym(loaded, name);
    if (!symbol && missing.empty())
      missing = name;
    return symbol;
  };
  auto bind = [&](auto &into, const char *name) {
    into = reinterpret_cast<std::decay_t<decltype(into)>>(find(name));
  };
  bind(library.world, "ompi_mpi_comm_world");
  bind(library.errorsReturn, "ompi_mpi_errors_return");
  bind(library.noRequest, "ompi_request_null");
  bind(library.float32, "ompi_mpi_float");
  bind(library.float64, "ompi_mpi_double");
  bind(library.byte, "ompi_mpi_byte");
  bind(library.sum, "ompi_mpi_op_sum");
  bind(library.least, "ompi_mpi_op_min");
  bind(library.greatest, "ompi_mpi_op_max");
  bind(library.initialized, "MPI_Initialized");
  bind(library.finalized, "MPI_Finalized");
  bind(library.initThread, "MPI_Init_thread");
  bind(library.finalize, "MPI_Finalize");
  bind(library.libraryVersion, "MPI_Get_library_version");
  bind(library.errorString, "MPI_Error_string");
  bind(library.setErrorHandler, "MPI_Comm_set_errhandler");
  bind(library.rank, "MPI_Comm_rank");
  bind(library.size, "MPI_Comm_size");
  bind(library.beginAllReduce, "MPI_Iallreduce");
  bind(library.beginBroadcast, "MPI_Ibcast");
  bind(library.beginBarrier, "MPI_Ibarrier");
  bind(library.test, "MPI_Test");
  if (!missing.empty())
    return absl::FailedPreconditionError(absl::StrCat(
        file, " has no '", missing, "': it is not the library of Open MPI"));
  char version[4096] = "";
  int length = 0;
  library.libraryVersion(version, &length);
  if (!absl::StartsWith(version, "Open MPI"))
    return absl::FailedPreconditionError(absl::StrCat(
        file, " is '", version, "', not Open MPI. HINT: openmpi-bin"));
  return library;
}

absl::Status MpiLibrary::status(int code, const char *what) const {
  if (code == 0)
    return absl::OkStatus();
  char text[4096] = "";
  int length = 0;
  errorString(code, text, &length);
  return absl::UnavailableError(absl::StrCat("MPI cannot ", what, ": ", text));
}

} // namespace t6
