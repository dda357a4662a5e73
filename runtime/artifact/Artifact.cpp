//===- Artifact.cpp - A compiled model, opened ----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/artifact/Artifact.h"

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include <xxhash.h>

namespace t6 {

static constexpr absl::string_view kProgram = "program.json";
static constexpr absl::string_view kConstants = "constants.bin";

static absl::Status damaged(absl::string_view source, absl::string_view what) {
  return absl::DataLossError(
      absl::StrCat(source, ": ", what,
                   ". HINT: the file is damaged; compile it again with "
                   "tpa-opt"));
}

static absl::Status checkHash(const FileRecord &record, absl::string_view bytes,
                              absl::string_view source) {
  uint64_t hash = XXH3_64bits(bytes.data(), bytes.size());
  if (hash == record.xxh3)
    return absl::OkStatus();
  return damaged(
      source,
      absl::StrFormat("%s has the hash %016x, but the program says %016x",
                      record.name, hash, record.xxh3));
}

absl::StatusOr<std::shared_ptr<const Artifact>>
Artifact::open(const std::string &path) {
  return create(StoredZip::open(path), path);
}

absl::StatusOr<std::shared_ptr<const Artifact>>
Artifact::fromMemory(absl::string_view bytes, std::string name) {
  return create(StoredZip::fromMemory(bytes, name), name);
}

absl::StatusOr<std::shared_ptr<const Artifact>>
Artifact::create(absl::StatusOr<StoredZip> zip, const std::string &name) {
  if (!zip.ok())
    return zip.status();
  const StoredZip::Entry *entry = zip->find(kProgram);
  if (!entry)
    return damaged(name, "has no program.json, so it is not an artifact");
  absl::StatusOr<std::string> text = zip->read(*entry);
  if (!text.ok())
    return text.status();
  absl::StatusOr<Program> program = parseProgram(*text);
  if (!program.ok())
    return absl::Status(program.status().code(),
                        absl::StrCat(name, ": ", program.status().message()));
  std::shared_ptr<Artifact> artifact(new Artifact(*std::move(zip), name));
  artifact->contents = *std::move(program);
  absl::Status status = artifact->verify();
  if (!status.ok())
    return status;
  return artifact;
}

absl::Status Artifact::verify() const {
  bool needsConstants = false;
  for (const Buffer &buffer : contents.buffers)
    needsConstants |= buffer.kind == BufferKind::Constant;
  if (!contents.kernels.empty() && !contents.findFile("kernels.so"))
    return damaged(source, "program.json does not list kernels.so");
  if (needsConstants && !contents.findFile(kConstants))
    return damaged(source, "program.json does not list constants.bin");
  for (const FileRecord &record : contents.files) {
    absl::StatusOr<std::string> bytes = readFile(record.name);
    if (!bytes.ok())
      return bytes.status();
  }
  // The IR is provenance and may go unlisted; anything else may not.
  for (const StoredZip::Entry &entry : zip.entries())
    if (entry.name != kProgram && !absl::StartsWith(entry.name, "ir/") &&
        !contents.findFile(entry.name))
      return damaged(source, absl::StrCat("program.json does not list '",
                                          absl::CHexEscape(entry.name), "'"));
  return absl::OkStatus();
}

absl::StatusOr<std::string> Artifact::readFile(absl::string_view name) const {
  const StoredZip::Entry *entry = zip.find(name);
  const FileRecord *record = contents.findFile(name);
  if (!entry && record)
    return damaged(source, absl::StrCat("lacks '", absl::CHexEscape(name),
                                        "', which program.json lists"));
  if (!entry)
    return absl::NotFoundError(
        absl::StrCat(source, ": has no file '", absl::CHexEscape(name),
                     "'. HINT: `unzip -l` shows what it has"));
  if (record && entry->bytes != record->bytes)
    return damaged(source, absl::StrCat(record->name, " has ", entry->bytes,
                                        " bytes, but the program says ",
                                        record->bytes));
  absl::StatusOr<std::string> bytes = zip.read(*entry);
  if (!bytes.ok() || !record)
    return bytes;
  absl::Status status = checkHash(*record, *bytes, source);
  if (!status.ok())
    return status;
  return bytes;
}

int64_t Artifact::constantsBytes() const {
  const FileRecord *record = contents.findFile(kConstants);
  return record ? record->bytes : 0;
}

absl::Status Artifact::readConstants(void *data, int64_t bytes) const {
  const StoredZip::Entry *entry = zip.find(kConstants);
  const FileRecord *record = contents.findFile(kConstants);
  if (!entry || !record || entry->bytes != bytes)
    return damaged(source, "constants.bin has another size than before");
  absl::Status status = zip.readInto(*entry, data, bytes);
  if (!status.ok())
    return status;
  return checkHash(*record,
                   absl::string_view(static_cast<const char *>(data), bytes),
                   source);
}

absl::StatusOr<KernelLibrary> Artifact::loadKernels(KernelSet set) const {
  const char *name = set == KernelSet::Optimized ? "kernels.so" : "check.so";
  if (set == KernelSet::Reference && !hasReference())
    return absl::FailedPreconditionError(
        absl::StrCat(source, ": has no check.so with reference kernels. HINT: "
                             "compile it with --check-kernels"));
  std::string place = absl::StrCat(source, ": ", name);
  absl::Status status = checkCpu(contents.cpu, source);
  if (!status.ok())
    return status;
  absl::StatusOr<std::string> elf = readFile(name);
  if (!elf.ok())
    return elf.status();
  return KernelLibrary::load(*elf, contents, place);
}

} // namespace t6
