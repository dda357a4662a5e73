//===- Decoder.cpp - A batch of sequences, run by run ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/api/Decoder.h"

#include "absl/strings/str_cat.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace t6 {

using Prompts = absl::Span<const absl::Span<const int32_t>>;

absl::StatusOr<Decoder> Decoder::create(const Artifact &artifact,
                                        Executor &executor) {
  Decoder decoder(executor);
  std::vector<absl::string_view> prefillInputs = {"tokens", "positions",
                                                  "last"};
  std::vector<absl::string_view> decodeInputs = {"tokens", "positions"};
  if (artifact.program().options.pageTokens > 0) {
    prefillInputs.push_back("pages");
    decodeInputs.push_back("pages");
  }
  absl::StatusOr<EntryPorts> prefill =
      findEntryPorts(artifact, "prefill", prefillInputs, "logits");
  if (!prefill.ok())
    return prefill.status();
  absl::StatusOr<EntryPorts> decode =
      findEntryPorts(artifact, "decode", decodeInputs, "logits");
  if (!decode.ok())
    return decode.status();
  decoder.prefillPorts = *std::move(prefill);
  decoder.decodePorts = *std::move(decode);
  absl::Status status = decoder.readLimits(artifact);
  if (status.ok() && artifact.program().options.pageTokens > 0)
    status = decoder.readPages(artifact);
  if (!status.ok())
    return status;
  decoder.lengths.resize(decoder.rows);
  decoder.lastTokens.resize(decoder.rows);
  decoder.positionInput.resize(decoder.rows);
  decoder.lastInput.resize(decoder.rows);
  return decoder;
}

absl::Status Decoder::readLimits(const Artifact &artifact) {
  const Program &program = artifact.program();
  absl::StatusOr<AxisLimit> length = lengthLimit(artifact, prefillPorts, 0);
  if (!length.ok())
    return length.status();
  rows = program.options.batch;
  limit = program.options.maxLength;
  vocab = program.model.vocabSize;
  chunk = length->max;
  // Executor::run checks shapes against the entry; this is what the sizes of
  // our own memory come from.
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  auto fits = [](int64_t value) { return value >= 1 && value <= kMost; };
  if (!fits(rows) || !fits(limit) || !fits(vocab) || !fits(chunk) ||
      rows * chunk > kMost || rows * vocab > kMost)
    return absl::FailedPreconditionError(
        absl::StrCat(artifact.path(), ": program.json gives a batch of ", rows,
                     ", a maximum length of ", limit, ", a vocabulary of ",
                     vocab, " and a prefill chunk of ", chunk,
                     ", with which nothing can be generated. HINT: compile the "
                     "model again"));
  return absl::OkStatus();
}

absl::Status Decoder::readPages(const Artifact &artifact) {
  const Program &program = artifact.program();
  auto tableOf = [&](const EntryPorts &ports) -> const Buffer & {
    const Entry &entry = program.entries[ports.entry];
    return program.buffers[entry.inputs[ports.inputs.back()].buffer];
  };
  const Buffer &table = tableOf(prefillPorts), &other = tableOf(decodePorts);
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  auto isTable = [&](const Buffer &buffer) {
    return buffer.shape.size() == 2 && buffer.shape[0].isStatic() &&
           buffer.shape[0].value == rows && buffer.shape[1].isStatic() &&
           buffer.hasRange && buffer.rangeLow == 0 &&
           buffer.rangeHigh.isStatic() && buffer.rangeHigh.value >= 2 &&
           buffer.rangeHigh.value <= kMost;
  };
  if (!isTable(table) || !isTable(other) ||
      table.shape[1].value != other.shape[1].value ||
      table.rangeHigh.value != other.rangeHigh.value)
    return absl::FailedPreconditionError(absl::StrCat(
        artifact.path(),
        ": the inputs 'pages' of 'prefill' and 'decode' are no table of the "
        "pages of ",
        rows, " rows. HINT: compile the model again"));
  pageSlots = table.shape[1].value;
  pages.emplace(rows, pageSlots, program.options.pageTokens,
                table.rangeHigh.value);
  return absl::OkStatus();
}

absl::Status Decoder::growPages() {
  for (int64_t row = 0; pages && row < rows; ++row) {
    absl::Status status = pages->grow(row, lengths[row]);
    if (!status.ok())
      return status;
  }
  return absl::OkStatus();
}

absl::Status Decoder::run(const EntryPorts &ports,
                          std::vector<TensorView> inputs) {
  absl::Status status = growPages();
  if (!status.ok())
    return status;
  if (pages)
    inputs.push_back(viewOf(pages->entries(), {rows, pageSlots}));
  return ports.run(*executor, inputs);
}

absl::Status Decoder::runChunk(Prompts prompts, std::vector<int64_t> &done,
                               int64_t size) {
  tokenInput.assign(rows * size, 0);
  std::vector<bool> ends(rows);
  for (int64_t row = 0; row < rows; ++row) {
    absl::Span<const int32_t> prompt = prompts[row].subspan(done[row]);
    int64_t taken = std::min<int64_t>(size, prompt.size());
    if (taken > 0) {
      std::copy_n(prompt.begin(), taken, tokenInput.begin() + row * size);
      positionInput[row] = static_cast<int32_t>(lengths[row]);
      lastTokens[row] = prompt[taken - 1];
    } else {
      tokenInput[row * size] = lastTokens[row];
      positionInput[row] = restingPosition(row);
    }
    lastInput[row] = static_cast<int32_t>(std::max<int64_t>(taken, 1) - 1);
    ends[row] = taken > 0 && taken == int64_t(prompt.size());
    lengths[row] += taken;
    done[row] += taken;
  }
  absl::Status status = run(prefillPorts, {viewOf(tokenInput, {rows, size}),
                                           viewOf(positionInput, {rows}),
                                           viewOf(lastInput, {rows})});
  if (!status.ok())
    return status;
  absl::StatusOr<const float *> logits =
      prefillPorts.floats(*executor, {rows, vocab});
  if (!logits.ok())
    return logits.status();
  for (int64_t row = 0; row < rows; ++row)
    if (ends[row])
      std::copy_n(*logits + row * vocab, vocab,
                  prefillLogits.begin() + row * vocab);
  return absl::OkStatus();
}

absl::StatusOr<bool> Decoder::prefill(Prompts given,
                                      absl::FunctionRef<bool()> stop) {
  std::vector<absl::Span<const int32_t>> prompts(given.begin(), given.end());
  prompts.resize(rows);
  prefillLogits.resize(rows * vocab);
  std::vector<int64_t> done(rows);
  for (;;) {
    int64_t left = 0;
    // No row may write beyond the cache, those that have ended included.
    int64_t room = chunk;
    for (int64_t row = 0; row < rows; ++row) {
      left = std::max<int64_t>(left, prompts[row].size() - done[row]);
      room = std::min(room, limit - lengths[row]);
    }
    if (left == 0)
      break;
    if (room <= 0)
      return absl::InternalError("a prompt does not fit behind another row");
    if (stop())
      return false;
    absl::Status status = runChunk(prompts, done, std::min(left, room));
    if (!status.ok())
      return status;
  }
  current = prefillLogits.data();
  return true;
}

absl::Status Decoder::step(absl::Span<const int32_t> tokens) {
  for (int64_t row = 0; row < rows; ++row) {
    if (row < int64_t(tokens.size()) && tokens[row] >= 0) {
      lastTokens[row] = tokens[row];
      ++lengths[row];
    }
    // A row that rests runs its last token once more.
    positionInput[row] = restingPosition(row);
  }
  absl::Status status = run(decodePorts, {viewOf(lastTokens, {rows, 1}),
                                          viewOf(positionInput, {rows})});
  if (!status.ok())
    return status;
  absl::StatusOr<const float *> logits =
      decodePorts.floats(*executor, {rows, vocab});
  if (!logits.ok())
    return logits.status();
  current = *logits;
  return absl::OkStatus();
}

void Decoder::end(size_t row) {
  lengths[row] = 0;
  if (pages)
    pages->release(row);
}

absl::Status Decoder::rewind(int64_t length) {
  std::fill(lengths.begin(), lengths.end(), length);
  std::fill(lastTokens.begin(), lastTokens.end(), 0);
  return growPages();
}

} // namespace t6
