//===- StateFile.cpp - state.json -----------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/checkpoint/StateFile.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "runtime/io/MappedFile.h"
#include "runtime/io/Names.h"

#include <cerrno>
#include <cmath>
#include <cstdio>
#include <limits>
#include <memory>
#include <utility>
#include <vector>
#include <xxhash.h>

namespace t6 {
namespace {

using nlohmann::json;

constexpr absl::string_view kSchema = "t6-training-checkpoint";
constexpr int64_t kVersion = 1;
constexpr size_t kMaxTextBytes = 64 << 20;
/// Printing recurses, so a hostile file must not be nested deeply.
constexpr int kMaxDepth = 64;

/// Numbers print as the shortest text that reads back as the same bits, keys in
/// order: equal documents have equal text.
std::string canonicalText(const json &document) {
  return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string checksumOf(const json &document) {
  std::string text = canonicalText(document);
  return contentChecksum(
      {reinterpret_cast<const uint8_t *>(text.data()), text.size()});
}

json printModel(const ModelFingerprint &model) {
  json tensors = json::object();
  for (const TensorSpec &spec : model.parameters)
    tensors[spec.name] = {{"dtype", std::string(name(spec.dtype))},
                          {"shape", spec.shape}};
  return {{"config", model.config}, {"tensors", std::move(tensors)}};
}

json printState(const TrainingState &state) {
  json result = {
      {"step", state.step},        {"tokens_trained", state.tokensTrained},
      {"seed", state.seed},        {"sampler_position", state.samplerPosition},
      {"best_loss", nullptr},      {"options", state.options},
      {"counters", state.counters}};
  if (state.bestLoss)
    result["best_loss"] = *state.bestLoss;
  return result;
}

/// Whether the text of `value` reads back as `value`: it does not with a number
/// that is not finite or with broken UTF-8.
bool survives(const json &value) {
  return json::parse(canonicalText(value), nullptr, false) == value;
}

absl::Status checkPrintable(const StateFile &file) {
  const TrainingState &state = file.state;
  absl::string_view wrong =
      state.step < 0 || state.tokensTrained < 0
          ? "the step or the number of tokens is negative"
      : state.bestLoss && !std::isfinite(*state.bestLoss)
          ? "the best loss is not finite"
      : !state.options.is_object() || !survives(state.options)
          ? "the options are not an object of finite numbers and UTF-8 text"
      : !state.counters.is_object() || !survives(state.counters)
          ? "the counters are not an object of finite numbers and UTF-8 text"
      : !file.model.config.is_object() || !survives(file.model.config)
          ? "the config is not an object of finite numbers and UTF-8 text"
          : "";
  return wrong.empty() ? absl::OkStatus()
                       : absl::InvalidArgumentError(
                             absl::StrCat("cannot save this state: ", wrong));
}

/// Reads members, keeping the first thing that is wrong.
class Reader {
public:
  explicit Reader(const json &document) : document(document) {}

  StateFile read() {
    StateFile file;
    const json &state = member(document, "state");
    file.state.step = count(state, "step");
    file.state.tokensTrained = count(state, "tokens_trained");
    file.state.seed = unsignedNumber(state, "seed");
    file.state.samplerPosition = unsignedNumber(state, "sampler_position");
    const json &best = member(state, "best_loss");
    if (best.is_number())
      file.state.bestLoss = best.get<double>();
    else if (!best.is_null())
      fail("best_loss is not a number");
    file.state.options = object(state, "options");
    file.state.counters = object(state, "counters");
    readModel(file.model);
    for (const auto &[name, value] : object(document, "files").items())
      file.files.push_back(
          {name, unsignedNumber(value, "bytes"), text(value, "xxh3_128")});
    return file;
  }

  std::string error;

private:
  void fail(std::string what) {
    if (error.empty())
      error = std::move(what);
  }

  const json &member(const json &parent, const char *key) {
    static const json none;
    if (!parent.is_object() || !parent.contains(key)) {
      fail(absl::StrCat(key, " is missing"));
      return none;
    }
    return *parent.find(key);
  }

  const json &object(const json &parent, const char *key) {
    static const json empty = json::object();
    const json &value = member(parent, key);
    if (value.is_object())
      return value;
    fail(absl::StrCat(key, " is not an object"));
    return empty;
  }

  uint64_t unsignedNumber(const json &parent, const char *key) {
    const json &value = member(parent, key);
    if (value.is_number_unsigned())
      return value.get<uint64_t>();
    fail(absl::StrCat(key, " is not a natural number"));
    return 0;
  }

  int64_t count(const json &parent, const char *key) {
    uint64_t value = unsignedNumber(parent, key);
    if (value <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
      return static_cast<int64_t>(value);
    fail(absl::StrCat(key, " is too large"));
    return 0;
  }

  std::string text(const json &parent, const char *key) {
    const json &value = member(parent, key);
    if (const std::string *text = value.get_ptr<const std::string *>())
      return *text;
    fail(absl::StrCat(key, " is not a string"));
    return "";
  }

  void readModel(ModelFingerprint &model) {
    const json &value = member(document, "model");
    model.config = object(value, "config");
    for (const auto &[tensorName, tensor] : object(value, "tensors").items()) {
      TensorSpec spec{tensorName, DType::F32, {}};
      absl::StatusOr<DType> dtype = parseDType(text(tensor, "dtype"));
      if (dtype.ok())
        spec.dtype = *dtype;
      else
        fail(absl::StrCat("tensor ", quoteName(tensorName), " has no dtype"));
      const json &shape = member(tensor, "shape");
      if (!shape.is_array())
        fail(absl::StrCat("tensor ", quoteName(tensorName), " has no shape"));
      for (const json &dim : shape) {
        if (!dim.is_number_integer())
          fail(absl::StrCat("tensor ", quoteName(tensorName), " has no shape"));
        spec.shape.push_back(dim.is_number_integer() ? dim.get<int64_t>() : 0);
      }
      model.parameters.push_back(std::move(spec));
    }
  }

  const json &document;
};

absl::Status damaged(absl::string_view label, absl::string_view what) {
  return absl::DataLossError(
      absl::StrCat(label, ": ", what,
                   "; HINT: the file is damaged or was changed by hand; use "
                   "another checkpoint"));
}

} // namespace

static std::string checksumText(XXH128_hash_t hash) {
  return absl::StrFormat("%016x%016x", hash.high64, hash.low64);
}

std::string contentChecksum(absl::Span<const uint8_t> bytes) {
  return checksumText(XXH3_128bits(bytes.data(), bytes.size()));
}

absl::StatusOr<TensorFileRecord> recordOf(const std::string &folder,
                                          absl::string_view name) {
  constexpr size_t kPiece = 1 << 20;
  std::string path = absl::StrCat(folder, "/", name);
  std::unique_ptr<FILE, int (*)(FILE *)> file(fopen(path.c_str(), "rbe"),
                                              fclose);
  if (!file)
    return fileError(errno, "open", path);
  std::unique_ptr<XXH3_state_t, XXH_errorcode (*)(XXH3_state_t *)> state(
      XXH3_createState(), XXH3_freeState);
  XXH3_128bits_reset(state.get());
  TensorFileRecord record{std::string(name), 0, {}};
  std::vector<char> piece(kPiece);
  while (size_t count = fread(piece.data(), 1, piece.size(), file.get())) {
    XXH3_128bits_update(state.get(), piece.data(), count);
    record.bytes += count;
  }
  if (ferror(file.get()))
    return fileError(errno, "read", path);
  record.checksum = checksumText(XXH3_128bits_digest(state.get()));
  return record;
}

absl::StatusOr<std::string> printStateFile(const StateFile &file) {
  absl::Status printable = checkPrintable(file);
  if (!printable.ok())
    return printable;
  json files = json::object();
  for (const TensorFileRecord &record : file.files)
    files[record.name] = {{"bytes", record.bytes},
                          {"xxh3_128", record.checksum}};
  json document = {{"schema", std::string(kSchema)},
                   {"version", kVersion},
                   {"state", printState(file.state)},
                   {"model", printModel(file.model)},
                   {"files", std::move(files)}};
  document["checksum"] = checksumOf(document);
  return document.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
}

absl::StatusOr<StateFile> parseStateFile(absl::string_view text,
                                         absl::string_view label) {
  if (text.size() > kMaxTextBytes)
    return damaged(label,
                   absl::StrCat("the file has ", text.size(),
                                " bytes, beyond the limit of ", kMaxTextBytes));
  bool tooDeep = false;
  auto limitDepth = [&](int depth, json::parse_event_t, json &) {
    tooDeep |= depth > kMaxDepth;
    return depth <= kMaxDepth;
  };
  json document = json::parse(text.begin(), text.end(), limitDepth, false);
  if (document.is_discarded() || tooDeep || !document.is_object())
    return damaged(label, "this is not a JSON object");
  if (document.value("schema", json()) != std::string(kSchema))
    return damaged(label, "this is not the state of a training run");
  if (document.value("version", json()) != kVersion)
    return absl::FailedPreconditionError(absl::StrCat(
        label, ": the version of its schema is not ", kVersion,
        "; HINT: resume with the version of t6 that wrote the checkpoint"));
  json checksum = document.value("checksum", json());
  document.erase("checksum");
  if (checksum != checksumOf(document))
    return damaged(label, "the contents do not have the checksum written");
  Reader reader(document);
  StateFile file = reader.read();
  if (!reader.error.empty())
    return damaged(label, reader.error);
  return file;
}

} // namespace t6
