//===- ConfigReader.cpp - Checked access to the keys of a config.json -----===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/import/ConfigReader.h"
#include "mlir/IR/Location.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/raw_ostream.h"
#include <cmath>

using namespace mlir;

namespace tpa {

static constexpr StringLiteral notAConfig =
    "give the config.json that lies beside the model's weights";
static constexpr StringLiteral asTrained =
    "give the value that the model was trained with";

/// Value as it stands in the file, cut to a readable length.
static std::string shown(const llvm::json::Value &value) {
  std::string text;
  llvm::raw_string_ostream(text) << value;
  return text.size() <= 40 ? text : text.substr(0, 37) + "...";
}

/// The end of the string token that begins at `start`, past its closing quote.
static size_t stringEnd(StringRef json, size_t start) {
  for (size_t i = start + 1; i < json.size(); ++i) {
    if (json[i] == '\\')
      ++i;
    else if (json[i] == '"')
      return i + 1;
  }
  return json.size();
}

static std::string unescaped(StringRef token) {
  llvm::Expected<llvm::json::Value> value = llvm::json::parse(token);
  if (!value) {
    llvm::consumeError(value.takeError());
    return token.str();
  }
  std::optional<StringRef> text = value->getAsString();
  return text ? text->str() : token.str();
}

bool ConfigReader::scan() {
  // The parser recurses, so hostile nesting has to be found before it.
  constexpr size_t maxDepth = 32;
  SmallVector<llvm::StringSet<>> open;
  for (size_t i = 0; i < json.size(); ++i) {
    char c = json[i];
    if (c == '{' || c == '[') {
      open.emplace_back();
      if (open.size() > maxDepth) {
        emit(placeAt(i), "the file nests deeper than any config", notAConfig);
        return false;
      }
    } else if ((c == '}' || c == ']') && !open.empty()) {
      open.pop_back();
    } else if (c == '"') {
      size_t end = stringEnd(json, i);
      bool isKey = json.substr(end).ltrim(" \t\r\n").starts_with(":");
      if (isKey && !open.empty()) {
        std::string key = unescaped(json.slice(i, end));
        if (!open.back().insert(key).second && !repeated)
          repeated = {key, i};
        if (open.size() == 1)
          keyOffsets.try_emplace(key, i);
      }
      i = end - 1;
    }
  }
  return true;
}

ConfigReader::ConfigReader(StringRef json, StringRef fileName,
                           MLIRContext &context)
    : json(json), fileName(fileName), context(context) {
  load();
}

void ConfigReader::load() {
  constexpr size_t maxBytes = size_t(1) << 20;
  if (json.size() > maxBytes)
    return fileError("is larger than any config", notAConfig);
  if (!scan())
    return;
  llvm::Expected<llvm::json::Value> value = llvm::json::parse(json);
  if (!value) {
    // "[line:column, byte=n]: what"
    std::string message = llvm::toString(value.takeError());
    StringRef rest = message;
    unsigned line = 0, column = 0;
    if (rest.consume_front("[") && !rest.consumeInteger(10, line) &&
        rest.consume_front(":") && !rest.consumeInteger(10, column))
      rest = rest.split("]: ").second;
    return emit(FileLineColLoc::get(&context, fileName, line, column),
                "the file is not JSON: " + rest, notAConfig);
  }
  llvm::json::Object *object = value->getAsObject();
  if (!object)
    return fileError("is not a JSON object", notAConfig);
  if (repeated)
    return emit(placeAt(repeated->second),
                "key \"" + repeated->first + "\" is given twice",
                "keep the one that the model was trained with");
  root = std::move(*object);
}

const llvm::json::Value *ConfigReader::find(StringRef key) const {
  const llvm::json::Value *value = root.get(key);
  return value && value->kind() != llvm::json::Value::Null ? value : nullptr;
}

Location ConfigReader::placeAt(size_t offset) const {
  StringRef before = json.take_front(offset);
  size_t lineStart = before.rfind('\n') + 1; // npos + 1 is 0
  return FileLineColLoc::get(&context, fileName, before.count('\n') + 1,
                             offset - lineStart + 1);
}

Location ConfigReader::place(StringRef key) const {
  auto it = keyOffsets.find(key);
  return placeAt(it == keyOffsets.end() ? 0 : it->second);
}

void ConfigReader::emit(Location where, const Twine &message, StringRef hint) {
  if (!hasFailed)
    emitError(where) << message << "; HINT: " << hint;
  hasFailed = true;
}

void ConfigReader::error(StringRef key, const Twine &what, StringRef hint) {
  emit(place(key), "\"" + key + "\" " + what, hint);
}

void ConfigReader::fileError(const Twine &what, StringRef hint) {
  emit(place(), "the file " + what, hint);
}

int64_t ConfigReader::size(StringRef key, std::optional<int64_t> fallback) {
  const llvm::json::Value *value = find(key);
  if (!value) {
    if (!fallback)
      error(key, "is missing", asTrained);
    return fallback.value_or(1);
  }
  std::optional<int64_t> integer = value->getAsInteger();
  if (integer && *integer >= 1 && *integer <= maxSize)
    return *integer;
  error(key,
        "is " + shown(*value) + ", but must be an integer from 1 to " +
            Twine(maxSize),
        asTrained);
  return 1;
}

bool ConfigReader::flag(StringRef key, bool fallback) {
  const llvm::json::Value *value = find(key);
  if (!value)
    return fallback;
  if (std::optional<bool> flag = value->getAsBoolean())
    return *flag;
  error(key, "is " + shown(*value) + ", but must be true or false", asTrained);
  return fallback;
}

double ConfigReader::positive(StringRef key, const llvm::json::Value &value) {
  std::optional<double> number = value.getAsNumber();
  if (number && std::isfinite(*number) && *number > 0)
    return *number;
  error(key, "is " + shown(value) + ", but must be a number above zero",
        asTrained);
  return 1.0;
}

double ConfigReader::positive(StringRef key, double fallback) {
  const llvm::json::Value *value = find(key);
  return value ? positive(key, *value) : fallback;
}

std::string ConfigReader::text(StringRef key, StringRef fallback) {
  const llvm::json::Value *value = find(key);
  if (!value)
    return fallback.str();
  if (std::optional<StringRef> text = value->getAsString())
    return text->str();
  error(key, "is " + shown(*value) + ", but must be a string", asTrained);
  return fallback.str();
}

const llvm::json::Object *ConfigReader::object(StringRef key) {
  const llvm::json::Value *value = find(key);
  if (!value)
    return nullptr;
  if (const llvm::json::Object *object = value->getAsObject())
    return object;
  error(key, "is " + shown(*value) + ", but must be an object", asTrained);
  return nullptr;
}

} // namespace tpa
