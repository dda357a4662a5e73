//===- MpiLibrary.h - Open MPI, loaded at run time --------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The few functions and handles of Open MPI that a run of several ranks uses.
//
// Rationale: the library is loaded when a launcher has started several ranks,
// and not linked. So the same program runs on machines without MPI, building
// needs no MPI, and a run of one rank pays nothing for it. The price is that
// the types below are written down again; they belong to the binary interface
// of libmpi.so.40 (Open MPI 2 to 5), which the file's name promises, and which
// the version that the library tells is checked against.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_DISTRIBUTED_MPILIBRARY_H
#define T6_RUNTIME_DISTRIBUTED_MPILIBRARY_H

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include <string>

namespace t6 {

/// Of Open MPI, a handle is the address of an object in the library.
using MpiHandle = void *;

struct MpiLibrary {
  static constexpr int kFunneled = 1; ///< MPI_THREAD_FUNNELED.
  /// MPI_IN_PLACE, of a send buffer.
  static void *inPlace() { return reinterpret_cast<void *>(1); }

  // The same for all processes of the library's life.
  MpiHandle world, errorsReturn, noRequest;
  MpiHandle float32, float64, byte;
  MpiHandle sum, least, greatest;

  int (*initialized)(int *flag);
  int (*finalized)(int *flag);
  int (*initThread)(int *argc, char ***argv, int required, int *provided);
  int (*finalize)();
  int (*libraryVersion)(char *text, int *length);
  int (*errorString)(int code, char *text, int *length);
  int (*setErrorHandler)(MpiHandle comm, MpiHandle handler);
  int (*rank)(MpiHandle comm, int *rank);
  int (*size)(MpiHandle comm, int *size);
  int (*beginAllReduce)(const void *send, void *receive, int count,
                        MpiHandle type, MpiHandle op, MpiHandle comm,
                        MpiHandle *request);
  int (*beginBroadcast)(void *data, int count, MpiHandle type, int root,
                        MpiHandle comm, MpiHandle *request);
  int (*beginBarrier)(MpiHandle comm, MpiHandle *request);
  int (*test)(MpiHandle *request, int *flag, void *status);

  /// Loads `file`, which stays loaded. FailedPrecondition if there is none, or
  /// if it is not Open MPI.
  static absl::StatusOr<MpiLibrary> load(const std::string &file);

  /// What a function's return value says.
  absl::Status status(int code, const char *what) const;
};

} // namespace t6

#endif // T6_RUNTIME_DISTRIBUTED_MPILIBRARY_H
