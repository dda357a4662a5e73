//===- ReferenceConfig.h - The reference's configurations -------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The arguments of the reference's trainer, `config/x.py --key=value ...`, as
// training options. Files are parsed, never executed (see PythonLiterals.h).
//
// Kept: what comes later wins; on the command line a key must exist and its
// value have the type of the default; a file's expressions see the keys as they
// are by then. Stricter: a file, too, must give a key its type (an int will do
// for a float), and a name that neither is a key nor is used later in the file
// is taken for a misspelt key.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_TRAIN_REFERENCECONFIG_H
#define T6_RUNTIME_TRAIN_REFERENCECONFIG_H

#include "runtime/train/PythonLiterals.h"
#include "runtime/train/TrainOptions.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include <nlohmann/json.hpp>

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace t6 {

/// What a configuration comes to.
struct ReferenceSettings {
  TrainOptions options;
  /// The keys that describe the model (`n_head`) and were set: the compiled
  /// model must agree with them.
  std::vector<std::pair<std::string, PythonValue>> model;
  /// The keys that were set and change nothing here.
  std::vector<std::string> withoutEffect;

  /// One sentence on `withoutEffect`; empty if there are none.
  std::string warning() const;

  /// FailedPrecondition, with the first key, unless `model` agrees with the
  /// compiled model, whose config.json says `description`. Keys that only one
  /// of the two has are not compared, nor those that the reference's trainer
  /// does not pass on to its model.
  absl::Status checkModel(const nlohmann::json &description) const;
};

class ReferenceConfig {
public:
  /// Every key at the trainer's own default.
  ReferenceConfig();

  /// `argument` is "--key=value", or the path of a file.
  absl::Status apply(absl::string_view argument);
  absl::Status applyFile(const std::string &path);
  /// As applyFile() for a file called `name` with this content.
  absl::Status applyText(absl::string_view text, absl::string_view name);

  /// The key's value; nothing for a key that has no default and was not set.
  std::optional<PythonValue> value(absl::string_view key) const;
  /// What was set, in order, as the reference reports it: "batch_size = 24".
  absl::Span<const std::string> overrides() const { return log; }

  /// `base` (a preset, usually) with all that the keys say, defaults included;
  /// but `out`, and `data` if there is any, stay unless keys for them were set.
  /// The accumulation is the keys', so tokensPerStep becomes 0.
  absl::StatusOr<ReferenceSettings> settings(const TrainOptions &base) const;

private:
  struct Entry {
    PythonValue value;
    bool set = false;
  };

  absl::Status applyOverride(absl::string_view argument);
  bool anySet(std::initializer_list<absl::string_view> keys) const;
  absl::Status mapSpecialKeys(TrainOptions &options) const;
  const std::string &text(absl::string_view key) const;
  bool flag(absl::string_view key) const;

  std::map<std::string, Entry, std::less<>> entries;
  std::vector<std::string> log;
};

} // namespace t6

#endif // T6_RUNTIME_TRAIN_REFERENCECONFIG_H
