//===- PythonLiterals.cpp - Assignments in Python, read, not run ----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/train/PythonLiterals.h"

#include "runtime/io/Names.h"
#include "runtime/train/NumberText.h"
#include "runtime/train/PythonArithmetic.h"
#include "runtime/train/PythonLexer.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include <algorithm>

namespace t6 {
namespace {

/// More nested brackets and signs than a person writes would overflow the
/// stack.
constexpr int kMaxDepth = 64;

using Known = absl::FunctionRef<std::optional<PythonValue>(absl::string_view)>;

template <size_t N>
bool isOneOf(absl::string_view text, const absl::string_view (&list)[N]) {
  return std::find(list, list + N, text) != list + N;
}

bool isKeyword(absl::string_view name) {
  static constexpr absl::string_view kKeywords[] = {
      "and",      "as",       "assert", "async", "await",  "break",  "class",
      "continue", "def",      "del",    "elif",  "else",   "except", "finally",
      "for",      "from",     "global", "if",    "import", "in",     "is",
      "lambda",   "nonlocal", "not",    "or",    "pass",   "raise",  "return",
      "try",      "while",    "with",   "yield"};
  return isOneOf(name, kKeywords);
}

bool isConstant(absl::string_view name) {
  return name == "True" || name == "False" || name == "None";
}

/// Reads straight through; the first error ends it.
class Reader {
public:
  Reader(absl::string_view text, absl::string_view file, Known known)
      : lexer(text, file), known(known) {}

  absl::StatusOr<std::vector<PythonAssignment>> read();

private:
  absl::Status statement();
  absl::Status import(bool from);
  absl::Status assignment(const PythonToken &name);
  absl::Status value(PythonValue &result);
  absl::Status sum(PythonValue &result, int depth);
  absl::Status product(PythonValue &result, int depth);
  absl::Status factor(PythonValue &result, int depth);
  absl::Status atom(PythonValue &result, int depth);
  absl::Status strings(PythonValue &result);
  absl::Status name(PythonValue &result);

  absl::Status advance() { return lexer.next(token); }
  absl::Status combine(const PythonToken &op, PythonValue &left,
                       const PythonValue &right);
  absl::Status unexpected() {
    return lexer.found(token.description(), token.line);
  }
  bool endsStatement() const {
    return token.kind == PythonToken::Newline ||
           token.kind == PythonToken::End || token.is(";");
  }

  PythonLexer lexer;
  Known known;
  PythonToken token;
  std::vector<PythonAssignment> assignments;
};

absl::StatusOr<std::vector<PythonAssignment>> Reader::read() {
  absl::Status status = advance();
  while (status.ok() && token.kind != PythonToken::End) {
    if (token.kind == PythonToken::Newline) {
      status = advance();
      continue;
    }
    status = statement();
    if (status.ok() && !endsStatement())
      status = unexpected();
    if (status.ok() && token.is(";"))
      status = advance();
  }
  if (!status.ok())
    return status;
  return std::move(assignments);
}

absl::Status Reader::statement() {
  PythonToken first = token;
  // A string that stands alone is a comment.
  if (first.kind == PythonToken::Literal &&
      std::holds_alternative<std::string>(first.value)) {
    PythonValue ignored;
    return strings(ignored);
  }
  if (first.kind != PythonToken::Name)
    return unexpected();
  absl::Status status = advance();
  if (!status.ok())
    return status;
  if (first.text == "import" || first.text == "from")
    return import(first.text == "from");
  if (isKeyword(first.text))
    return lexer.found(absl::StrCat("the statement '", first.text, "'"),
                       first.line);
  if (token.is("(") || token.kind == PythonToken::Literal)
    return lexer.found(absl::StrCat("a call of ", quoteName(first.text)),
                       first.line);
  if (token.is(".") || token.is("["))
    return lexer.found(absl::StrCat("a part of ", quoteName(first.text)),
                       first.line);
  if (isConstant(first.text) || (!token.is("=") && !token.is(":")))
    return lexer.found(
        absl::StrCat(first.description(), " before ", token.description()),
        first.line);
  return assignment(first);
}

/// Modules of which a file can make use only by what is refused anyway.
absl::Status Reader::import(bool from) {
  static constexpr absl::string_view kHarmless[] = {
      "time", "os", "sys", "math", "datetime", "random", "json"};
  int64_t line = token.line;
  std::string text = from ? "from" : "import";
  std::vector<absl::string_view> words;
  absl::Status status;
  for (; !endsStatement(); status = advance()) {
    if (!status.ok())
      return status;
    absl::StrAppend(&text, " ", token.text);
    words.push_back(token.text);
  }
  bool plain = !words.empty() && isOneOf(words[0], kHarmless);
  // An imported name must not become the value of a key.
  plain = plain && (from ? words.size() == 3 && words[1] == "import" &&
                               words[2] == words[0]
                         : words.size() == 1);
  if (!plain)
    return lexer.found(quoteName(text), line);
  return status;
}

absl::Status Reader::assignment(const PythonToken &name) {
  absl::Status status;
  if (token.is(":")) {
    // The type says nothing that the value does not.
    status = advance();
    if (status.ok() && token.kind != PythonToken::Name)
      return unexpected();
    if (status.ok())
      status = advance();
    if (status.ok() && !token.is("="))
      return unexpected();
  }
  if (status.ok())
    status = advance();
  PythonValue result;
  if (status.ok())
    status = value(result);
  if (status.ok())
    assignments.push_back(
        {std::string(name.text), std::move(result), name.line});
  return status;
}

absl::Status Reader::value(PythonValue &result) { return sum(result, 0); }

absl::Status Reader::combine(const PythonToken &op, PythonValue &left,
                             const PythonValue &right) {
  std::string error;
  std::optional<PythonValue> result = pythonBinary(op.text, left, right, error);
  if (!result)
    return lexer.found(error, op.line);
  left = std::move(*result);
  return absl::OkStatus();
}

absl::Status Reader::sum(PythonValue &result, int depth) {
  absl::Status status = product(result, depth);
  while (status.ok() && (token.is("+") || token.is("-"))) {
    PythonToken op = token;
    PythonValue right;
    status = advance();
    if (status.ok())
      status = product(right, depth);
    if (status.ok())
      status = combine(op, result, right);
  }
  return status;
}

absl::Status Reader::product(PythonValue &result, int depth) {
  absl::Status status = factor(result, depth);
  while (status.ok() &&
         (token.is("*") || token.is("/") || token.is("//") || token.is("%"))) {
    PythonToken op = token;
    PythonValue right;
    status = advance();
    if (status.ok())
      status = factor(right, depth);
    if (status.ok())
      status = combine(op, result, right);
  }
  return status;
}

/// A power binds tighter than a sign on its left, not on its right.
absl::Status Reader::factor(PythonValue &result, int depth) {
  if (depth > kMaxDepth)
    return lexer.found("an expression that is nested too deeply", token.line);
  PythonToken op = token;
  absl::Status status;
  if (op.is("-") || op.is("+")) {
    status = advance();
    if (status.ok())
      status = factor(result, depth + 1);
    std::string error;
    if (status.ok() && !pythonSign(op.text, result, error))
      return lexer.found(error, op.line);
    return status;
  }
  status = atom(result, depth);
  if (!status.ok() || !token.is("**"))
    return status;
  op = token;
  PythonValue exponent;
  status = advance();
  if (status.ok())
    status = factor(exponent, depth + 1);
  if (status.ok())
    status = combine(op, result, exponent);
  return status;
}

absl::Status Reader::atom(PythonValue &result, int depth) {
  if (token.kind == PythonToken::Name)
    return name(result);
  if (token.kind == PythonToken::Literal) {
    if (std::holds_alternative<std::string>(token.value))
      return strings(result);
    result = token.value;
    return advance();
  }
  if (!token.is("("))
    return unexpected();
  absl::Status status = advance();
  if (status.ok())
    status = sum(result, depth + 1);
  if (status.ok() && !token.is(")"))
    return unexpected();
  return status.ok() ? advance() : status;
}

/// Strings that follow each other are one.
absl::Status Reader::strings(PythonValue &result) {
  std::string text;
  absl::Status status;
  while (status.ok() && token.kind == PythonToken::Literal &&
         std::holds_alternative<std::string>(token.value)) {
    text += std::get<std::string>(token.value);
    status = advance();
  }
  result = std::move(text);
  return status;
}

absl::Status Reader::name(PythonValue &result) {
  PythonToken first = token;
  absl::Status status = advance();
  if (!status.ok())
    return status;
  if (token.is("("))
    return lexer.found(absl::StrCat("a call of ", quoteName(first.text)),
                       first.line);
  if (token.is(".") || token.is("["))
    return lexer.found(absl::StrCat("a part of ", quoteName(first.text)),
                       first.line);
  if (isConstant(first.text)) {
    if (first.text == "None")
      result = PythonNone();
    else
      result = first.text == "True";
    return status;
  }
  auto last = std::find_if(
      assignments.rbegin(), assignments.rend(),
      [&](const PythonAssignment &a) { return a.name == first.text; });
  if (last != assignments.rend()) {
    last->read = true;
    result = last->value;
    return status;
  }
  std::optional<PythonValue> value = known(first.text);
  if (!value)
    return lexer.found(
        absl::StrCat(first.description(), ", which has no value here"),
        first.line);
  result = std::move(*value);
  return status;
}

} // namespace

absl::string_view pythonType(const PythonValue &value) {
  static constexpr absl::string_view kTypes[] = {"NoneType", "bool", "int",
                                                 "float", "str"};
  return kTypes[value.index()];
}

std::string pythonText(const PythonValue &value) {
  if (auto *truth = std::get_if<bool>(&value))
    return *truth ? "True" : "False";
  if (auto *integer = std::get_if<int64_t>(&value))
    return absl::StrCat(*integer);
  if (auto *number = std::get_if<double>(&value))
    return pythonNumber(*number);
  if (auto *text = std::get_if<std::string>(&value)) {
    std::string quoted = "'";
    for (char c : *text) {
      if (c == '\n')
        quoted += "\\n";
      else if (c == '\\' || c == '\'')
        quoted += {'\\', c};
      else
        quoted += c;
    }
    return quoted + "'";
  }
  return "None";
}

std::optional<PythonValue> readPythonLiteral(absl::string_view text) {
  if (!isValidUtf8(text))
    return std::nullopt;
  PythonLexer lexer(text, "");
  PythonToken token, end;
  std::string sign;
  if (!lexer.next(token).ok())
    return std::nullopt;
  if (token.is("-") || token.is("+")) {
    sign = std::string(token.text);
    if (!lexer.next(token).ok())
      return std::nullopt;
  }
  if (!lexer.next(end).ok() || end.kind != PythonToken::End)
    return std::nullopt;
  PythonValue value = token.value;
  if (token.kind == PythonToken::Name && isConstant(token.text)) {
    if (token.text != "None")
      value = token.text == "True";
  } else if (token.kind != PythonToken::Literal) {
    return std::nullopt;
  }
  std::string error;
  if (!sign.empty() && !pythonSign(sign, value, error))
    return std::nullopt;
  return value;
}

absl::StatusOr<std::vector<PythonAssignment>>
readPythonAssignments(absl::string_view text, absl::string_view file,
                      Known known) {
  if (!isValidUtf8(text) || absl::StrContains(text, '\0'))
    return absl::InvalidArgumentError(
        absl::StrCat(file, " is not text in UTF-8; HINT: name a configuration "
                           "file of assignments, such as batch_size = 24"));
  absl::string_view body = text;
  if (absl::StartsWith(body, "\xEF\xBB\xBF"))
    body.remove_prefix(3);
  return Reader(body, file, known).read();
}

} // namespace t6
