//===- StateFile.h - state.json ---------------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The JSON of a checkpoint: where the run stands, which model it trains and
// what the tensor files must hold. It carries a checksum of itself, so a
// changed digit is damage and not another state.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_CHECKPOINT_STATEFILE_H
#define T6_RUNTIME_CHECKPOINT_STATEFILE_H

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "runtime/checkpoint/Fingerprint.h"
#include "runtime/checkpoint/TrainingState.h"

#include <cstdint>
#include <string>
#include <vector>

namespace t6 {

/// A tensor file beside state.json.
struct TensorFileRecord {
  std::string name;
  uint64_t bytes = 0;
  /// contentChecksum() of it.
  std::string checksum;
};

struct StateFile {
  TrainingState state;
  ModelFingerprint model;
  std::vector<TensorFileRecord> files;
};

/// XXH3 with 128 bits, in 32 hexadecimal digits: finds damage, not malice.
std::string contentChecksum(absl::Span<const uint8_t> bytes);

/// What the file `name` of `folder` holds now, for its reader to compare. It is
/// read in pieces: mapped, all of it would count as memory of the process.
absl::StatusOr<TensorFileRecord> recordOf(const std::string &folder,
                                          absl::string_view name);

/// InvalidArgument if the state cannot be brought back as it is: a loss, option
/// or config value that is not finite, text that is not UTF-8, a count below
/// zero.
absl::StatusOr<std::string> printStateFile(const StateFile &file);

/// The inverse. DataLoss if the text is damaged, FailedPrecondition if it is of
/// another schema version; `label` opens messages.
absl::StatusOr<StateFile> parseStateFile(absl::string_view text,
                                         absl::string_view label);

} // namespace t6

#endif // T6_RUNTIME_CHECKPOINT_STATEFILE_H
