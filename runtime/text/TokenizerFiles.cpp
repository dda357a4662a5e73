//===- TokenizerFiles.cpp - tokenizer.json, vocab.json and merges.txt -----===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/io/MappedFile.h"
#include "runtime/io/Names.h"
#include "runtime/text/Tokenizer.h"
#include "runtime/text/VocabularyBuilder.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include <nlohmann/json.hpp>

#include <sys/stat.h>

#include <utility>

namespace t6 {
namespace {

using Json = nlohmann::json;
using TokenizerOr = absl::StatusOr<std::unique_ptr<Tokenizer>>;

/// The largest vocabularies in use have files of some 35 MB.
constexpr size_t kMaxFileBytes = size_t(64) << 20;
constexpr int kMaxDepth = 64;
constexpr int64_t kMaxValues = int64_t(1) << 24;

constexpr absl::string_view kForms =
    "HINT: give a byte-level BPE tokenizer.json, a vocab.json with merges.txt "
    "beside it, a folder with these, or the word bytes";

/// Walks a JSON text without keeping it: where it is wrong, and whether it is
/// small enough to keep, which nesting by brackets alone need not be.
class JsonChecker final : public nlohmann::json_sax<Json> {
public:
  std::string problem;

  bool null() override { return count(); }
  bool boolean(bool) override { return count(); }
  bool number_integer(number_integer_t) override { return count(); }
  bool number_unsigned(number_unsigned_t) override { return count(); }
  bool number_float(number_float_t, const string_t &) override {
    return count();
  }
  bool string(string_t &) override { return count(); }
  bool binary(binary_t &) override { return count(); }
  bool key(string_t &) override { return true; }
  bool start_object(size_t) override { return open(); }
  bool start_array(size_t) override { return open(); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool parse_error(size_t position, const std::string &,
                   const nlohmann::detail::exception &) override {
    problem = absl::StrCat("is not JSON at byte ", position);
    return false;
  }

private:
  bool count() {
    if (++values <= kMaxValues)
      return true;
    problem = absl::StrCat("has more than ", kMaxValues, " values");
    return false;
  }
  bool open() {
    if (++depth > kMaxDepth) {
      problem = absl::StrCat("is nested more than ", kMaxDepth, " deep");
      return false;
    }
    return count();
  }
  bool close() {
    --depth;
    return true;
  }

  int depth = 0;
  int64_t values = 0;
};

absl::Status checkSize(size_t bytes, absl::string_view name) {
  if (bytes <= kMaxFileBytes)
    return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(name, " has ", bytes, " bytes, more than the ",
                   kMaxFileBytes, " that a tokenizer may have; ", kForms));
}

absl::StatusOr<Json> parseObject(absl::string_view contents,
                                 absl::string_view name) {
  if (absl::Status status = checkSize(contents.size(), name); !status.ok())
    return status;
  JsonChecker checker;
  if (!Json::sax_parse(contents.begin(), contents.end(), &checker))
    return absl::DataLossError(
        absl::StrCat(name, " ", checker.problem, "; ", kForms));
  Json json = Json::parse(contents.begin(), contents.end(), nullptr,
                          /*allow_exceptions=*/false);
  if (!json.is_object())
    return absl::FailedPreconditionError(
        absl::StrCat(name, " is not a JSON object; ", kForms));
  return json;
}

/// The member `key` of `object`, or null where it is missing or JSON's null.
const Json *member(const Json &object, const char *key) {
  if (!object.is_object())
    return nullptr;
  auto it = object.find(key);
  return it == object.end() || it->is_null() ? nullptr : &*it;
}

/// The string `key` of `object`, or "" if it is missing or no string.
absl::string_view stringMember(const Json &object, const char *key) {
  const Json *value = member(object, key);
  return value && value->is_string()
             ? absl::string_view(value->get_ref<const std::string &>())
             : absl::string_view();
}

bool isTrue(const Json &object, const char *key) {
  const Json *value = member(object, key);
  return value && value->is_boolean() && value->get<bool>();
}

/// An id out of range for any vocabulary if `value` is no integer.
int64_t idOf(const Json *value) {
  return value && value->is_number_integer() ? value->get<int64_t>() : -1;
}

absl::Status unsupported(absl::string_view name, absl::string_view what) {
  return absl::FailedPreconditionError(absl::StrCat(
      name, " has ", what,
      ", which is not supported; HINT: only byte-level BPE with GPT-2's "
      "splitting is, without a normalizer"));
}

/// Refuses by name whatever would make the ids differ from those of the
/// library that wrote the file. Absent, null, false and "" are the defaults.
absl::Status checkModel(const Json &model, absl::string_view name) {
  absl::string_view type = stringMember(model, "type");
  if (!type.empty() && type != "BPE")
    return unsupported(name, absl::StrCat("a ", quoteName(type), " model"));
  for (const char *key : {"byte_fallback", "ignore_merges", "fuse_unk"})
    if (isTrue(model, key))
      return unsupported(name, absl::StrCat("model.", key));
  for (const char *key :
       {"continuing_subword_prefix", "end_of_word_suffix", "dropout"}) {
    const Json *value = member(model, key);
    bool isDefault =
        !value || *value == "" || (value->is_number() && *value == 0);
    if (!isDefault)
      return unsupported(name, absl::StrCat("model.", key));
  }
  return absl::OkStatus();
}

absl::Status checkPreTokenizer(const Json &json, absl::string_view name) {
  if (const Json *normalizer = member(json, "normalizer"))
    return unsupported(
        name, absl::StrCat("the normalizer ",
                           quoteName(stringMember(*normalizer, "type"))));
  const Json *split = member(json, "pre_tokenizer");
  if (split && stringMember(*split, "type") == "Sequence") {
    const Json *parts = member(*split, "pretokenizers");
    if (parts && parts->is_array() && parts->size() == 1)
      split = &(*parts)[0];
  }
  if (!split)
    return unsupported(name, "no pre_tokenizer");
  absl::string_view type = stringMember(*split, "type");
  if (type != "ByteLevel")
    return unsupported(name,
                       absl::StrCat("the pre_tokenizer ", quoteName(type)));
  const Json *useRegex = member(*split, "use_regex");
  if (useRegex && *useRegex != true)
    return unsupported(name, "a ByteLevel pre_tokenizer without use_regex");
  // The library's own default is to add the space.
  const Json *addSpace = member(*split, "add_prefix_space");
  if (!addSpace || *addSpace != false)
    return unsupported(name, "a ByteLevel pre_tokenizer with add_prefix_space");
  return absl::OkStatus();
}

absl::Status readVocabulary(const Json *vocab, absl::string_view name,
                            VocabularyBuilder &builder) {
  if (!vocab || !vocab->is_object())
    return absl::FailedPreconditionError(absl::StrCat(
        name, " has no model.vocab that maps tokens to ids; ", kForms));
  for (const auto &item : vocab->items())
    if (absl::Status status = builder.addToken(item.key(), idOf(&item.value()));
        !status.ok())
      return status;
  return absl::OkStatus();
}

absl::Status readAdded(const Json &json, absl::string_view name,
                       VocabularyBuilder &builder) {
  const Json *added = member(json, "added_tokens");
  if (!added)
    return absl::OkStatus();
  if (!added->is_array())
    return absl::DataLossError(
        absl::StrCat(name, ": added_tokens is not a list; ", kForms));
  for (const Json &token : *added) {
    absl::string_view text = stringMember(token, "content");
    for (const char *key : {"lstrip", "rstrip", "single_word"})
      if (isTrue(token, key))
        return unsupported(name, absl::StrCat("the added token ",
                                              quoteName(text), " with ", key));
    absl::Status status = builder.addAdded(text, idOf(member(token, "id")),
                                           isTrue(token, "special"));
    if (!status.ok())
      return status;
  }
  return absl::OkStatus();
}

absl::Status notAMerge(absl::string_view place) {
  return absl::DataLossError(absl::StrCat(
      place, " is not two tokens with one space between; HINT: the file is "
             "damaged or edited: download or export it again"));
}

absl::Status addMergeLine(absl::string_view line, absl::string_view place,
                          VocabularyBuilder &builder) {
  size_t space = line.find(' ');
  if (space == absl::string_view::npos ||
      line.find(' ', space + 1) != absl::string_view::npos)
    return notAMerge(place);
  return builder.addMerge(line.substr(0, space), line.substr(space + 1), place);
}

absl::Status readMerges(const Json *merges, absl::string_view name,
                        VocabularyBuilder &builder) {
  if (!merges || !merges->is_array())
    return absl::FailedPreconditionError(
        absl::StrCat(name, " has no list model.merges; ", kForms));
  for (size_t i = 0; i < merges->size(); ++i) {
    const Json &merge = (*merges)[i];
    std::string place = absl::StrCat(name, ": model.merges[", i, "]");
    absl::Status status = notAMerge(place);
    if (merge.is_string())
      status =
          addMergeLine(merge.get_ref<const std::string &>(), place, builder);
    else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() &&
             merge[1].is_string())
      status = builder.addMerge(merge[0].get_ref<const std::string &>(),
                                merge[1].get_ref<const std::string &>(), place);
    if (!status.ok())
      return status;
  }
  return absl::OkStatus();
}

absl::Status readMergesText(absl::string_view text, absl::string_view name,
                            VocabularyBuilder &builder) {
  for (size_t number = 1; !text.empty(); ++number) {
    size_t end = std::min(text.find('\n'), text.size());
    absl::string_view line = absl::StripSuffix(text.substr(0, end), "\r");
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || (number == 1 && absl::StartsWith(line, "#version")))
      continue;
    absl::Status status =
        addMergeLine(line, absl::StrCat(name, " line ", number), builder);
    if (!status.ok())
      return status;
  }
  return absl::OkStatus();
}

TokenizerOr buildFromJson(const Json &json, absl::string_view name) {
  const Json *model = member(json, "model");
  if (!model || !model->is_object())
    return absl::FailedPreconditionError(
        absl::StrCat(name, " has no object \"model\"; ", kForms));
  VocabularyBuilder builder(name);
  if (absl::Status status = checkModel(*model, name); !status.ok())
    return status;
  if (absl::Status status = checkPreTokenizer(json, name); !status.ok())
    return status;
  if (absl::Status status =
          readVocabulary(member(*model, "vocab"), name, builder);
      !status.ok())
    return status;
  if (absl::Status status = readAdded(json, name, builder); !status.ok())
    return status;
  if (absl::Status status = builder.finishTokens(); !status.ok())
    return status;
  if (absl::Status status = readMerges(member(*model, "merges"), name, builder);
      !status.ok())
    return status;
  return builder.build();
}

TokenizerOr buildFromVocab(const Json &vocab, absl::string_view merges,
                           absl::string_view vocabName,
                           absl::string_view mergesName) {
  constexpr absl::string_view kEndOfText = "<|endoftext|>";
  VocabularyBuilder builder(vocabName);
  if (absl::Status status = checkSize(merges.size(), mergesName); !status.ok())
    return status;
  if (absl::Status status = readVocabulary(&vocab, vocabName, builder);
      !status.ok())
    return status;
  int32_t endOfText = builder.find(kEndOfText);
  if (endOfText >= 0)
    if (absl::Status status =
            builder.addAdded(kEndOfText, endOfText, /*special=*/true);
        !status.ok())
      return status;
  if (absl::Status status = builder.finishTokens(); !status.ok())
    return status;
  if (absl::Status status = readMergesText(merges, mergesName, builder);
      !status.ok())
    return status;
  return builder.build();
}

absl::string_view contentsOf(const MappedFile &file) {
  return {reinterpret_cast<const char *>(file.bytes().data()),
          file.bytes().size()};
}

bool exists(const std::string &path) {
  struct stat info;
  return ::stat(path.c_str(), &info) == 0;
}

bool isFolder(const std::string &path) {
  struct stat info;
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

TokenizerOr loadFile(const std::string &path) {
  auto file = MappedFile::open(path);
  if (!file.ok())
    return file.status();
  absl::StatusOr<Json> json = parseObject(contentsOf(**file), path);
  if (!json.ok())
    return json.status();
  // In a vocab.json, "model" may be a token: its value is then a number.
  const Json *model = member(*json, "model");
  if (model && model->is_object())
    return buildFromJson(*json, path);
  size_t slash = path.rfind('/');
  std::string folder =
      slash == std::string::npos ? "" : path.substr(0, slash + 1);
  std::string mergesPath = folder + "merges.txt";
  auto merges = MappedFile::open(mergesPath);
  if (!merges.ok())
    return absl::Status(
        merges.status().code(),
        absl::StrCat(path, " is not a tokenizer.json, and ", mergesPath,
                     ", which a vocab.json needs, cannot be read; ", kForms));
  return buildFromVocab(*json, contentsOf(**merges), path, mergesPath);
}

} // namespace

TokenizerOr parseTokenizerJson(absl::string_view contents,
                               absl::string_view name) {
  absl::StatusOr<Json> json = parseObject(contents, name);
  if (!json.ok())
    return json.status();
  return buildFromJson(*json, name);
}

TokenizerOr parseVocabAndMerges(absl::string_view vocab,
                                absl::string_view merges,
                                absl::string_view vocabName,
                                absl::string_view mergesName) {
  absl::StatusOr<Json> json = parseObject(vocab, vocabName);
  if (!json.ok())
    return json.status();
  return buildFromVocab(*json, merges, vocabName, mergesName);
}

TokenizerOr loadTokenizer(const std::string &path) {
  if (path == "bytes")
    return makeByteTokenizer();
  if (!isFolder(path))
    return loadFile(path);
  for (const char *name : {"/tokenizer.json", "/vocab.json"})
    if (exists(path + name))
      return loadFile(path + name);
  return absl::NotFoundError(absl::StrCat(
      path, " has neither tokenizer.json nor vocab.json; ", kForms));
}

} // namespace t6
