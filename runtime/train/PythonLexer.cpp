//===- PythonLexer.cpp - The tokens of a Python file ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/train/PythonLexer.h"

#include "runtime/io/Names.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace t6 {
namespace {

bool startsName(char c) {
  // Python has names in other scripts too.
  return absl::ascii_isalpha(c) || c == '_' || (c & 0x80);
}
bool inName(char c) { return startsName(c) || absl::ascii_isdigit(c); }

/// The characters that a numeric literal and what is glued to it consist of.
size_t numberLength(absl::string_view text) {
  size_t i = 0;
  for (; i < text.size(); ++i) {
    bool exponentSign = (text[i] == '+' || text[i] == '-') && i > 0 &&
                        absl::ascii_tolower(text[i - 1]) == 'e' &&
                        !absl::StartsWithIgnoreCase(text, "0x");
    if (!inName(text[i]) && text[i] != '.' && !exponentSign)
      break;
  }
  return i;
}

/// Whether each '_' stands between two digits.
bool underscoresFit(absl::string_view text) {
  for (size_t i = 0; i < text.size(); ++i)
    if (text[i] == '_' &&
        (i == 0 || i + 1 == text.size() || !absl::ascii_isxdigit(text[i - 1]) ||
         !absl::ascii_isxdigit(text[i + 1])))
      return false;
  return true;
}

} // namespace

std::string PythonToken::description() const {
  switch (kind) {
  case Name:
    return absl::StrCat("the name ", quoteName(text));
  case Literal:
    return absl::StrCat("the literal ", quoteName(text));
  case Operator:
    return quoteName(text);
  case Newline:
    return "the end of the line";
  case End:
    return "the end of the file";
  }
  return "";
}

absl::Status PythonLexer::found(absl::string_view what, int64_t atLine) const {
  return absl::InvalidArgumentError(absl::StrCat(
      file, ":", atLine, ": found ", what,
      "; HINT: the file is read, not executed, and may hold only assignments "
      "of literals and their arithmetic, such as batch_size = 4 * 6"));
}

absl::Status PythonLexer::skipBlanks(bool &atLineEnd) {
  atLineEnd = false;
  bool indented = false;
  while (!rest.empty()) {
    char c = rest.front();
    if (c == '#') {
      take(rest.find('\n'));
    } else if (c == '\n' || absl::StartsWith(rest, "\r\n")) {
      take(c == '\n' ? 1 : 2);
      ++line;
      indented = false;
      // Lines that are empty but for a comment end nothing.
      if (brackets == 0 && !lineStart) {
        atLineEnd = true;
        return absl::OkStatus();
      }
    } else if (c == ' ' || c == '\t' || c == '\f') {
      take(1);
      indented = true;
    } else if (absl::StartsWith(rest, "\\\n") ||
               absl::StartsWith(rest, "\\\r\n")) {
      take(rest[1] == '\n' ? 2 : 3);
      ++line;
    } else {
      break;
    }
  }
  if (indented && lineStart && brackets == 0 && !rest.empty())
    return found("an indented line", line);
  return absl::OkStatus();
}

absl::Status PythonLexer::next(PythonToken &token) {
  bool atLineEnd;
  absl::Status status = skipBlanks(atLineEnd);
  if (!status.ok())
    return status;
  token = PythonToken();
  token.line = line;
  if (atLineEnd) {
    token.kind = PythonToken::Newline;
    token.line = line - 1;
    lineStart = true;
    return status;
  }
  if (rest.empty())
    return status;
  lineStart = false;
  char c = rest.front();
  char second = rest.size() > 1 ? rest[1] : '\0';
  if (absl::ascii_isdigit(c) || (c == '.' && absl::ascii_isdigit(second)))
    return lexNumber(token);
  if (c == '\'' || c == '"')
    return lexString(token);
  if (!startsName(c)) {
    lexOperator(token);
    return status;
  }
  size_t length = 1;
  while (length < rest.size() && inName(rest[length]))
    ++length;
  token.kind = PythonToken::Name;
  token.text = take(length);
  if (!rest.empty() && (rest.front() == '\'' || rest.front() == '"') &&
      length <= 2)
    return found(absl::StrCat("a string with the prefix '", token.text, "'"),
                 line);
  return status;
}

absl::Status PythonLexer::lexNumber(PythonToken &token) {
  token.kind = PythonToken::Literal;
  token.text = take(numberLength(rest));
  std::string malformed =
      absl::StrCat(quoteName(token.text), ", which is no number");
  if (!underscoresFit(token.text))
    return found(malformed, line);
  std::string digits = absl::StrReplaceAll(token.text, {{"_", ""}});
  int base = 10;
  if (digits.size() > 2 && digits[0] == '0') {
    char letter = absl::ascii_tolower(digits[1]);
    base = letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 10;
  }
  const char *begin = digits.data() + (base == 10 ? 0 : 2);
  const char *end = digits.data() + digits.size();
  bool integer =
      base != 10 || digits.find_first_not_of("0123456789") == std::string::npos;
  if (integer) {
    // Python 3 has no octal numbers of this form, and takes 00 for 0.
    if (base == 10 && digits[0] == '0' &&
        digits.find_first_not_of('0') != std::string::npos)
      return found(
          absl::StrCat(quoteName(token.text), ", a number with a leading zero"),
          line);
    int64_t value = 0;
    std::from_chars_result result = std::from_chars(begin, end, value, base);
    if (result.ec == std::errc::result_out_of_range)
      return found(absl::StrCat(quoteName(token.text),
                                ", an integer of more than 64 bits"),
                   line);
    if (result.ec != std::errc() || result.ptr != end)
      return found(malformed, line);
    token.value = value;
    return absl::OkStatus();
  }
  if (digits.find_first_not_of("0123456789.eE+-") != std::string::npos)
    return found(malformed, line);
  double value;
  if (!absl::SimpleAtod(digits, &value))
    return found(malformed, line);
  if (std::isinf(value))
    return found(absl::StrCat(quoteName(token.text),
                              ", a number beyond what a float holds"),
                 line);
  token.value = value;
  return absl::OkStatus();
}

absl::Status PythonLexer::lexString(PythonToken &token) {
  absl::string_view start = rest;
  int64_t startLine = line;
  char quote = rest.front();
  std::string triple(3, quote);
  bool isTriple = absl::StartsWith(rest, triple);
  take(isTriple ? 3 : 1);
  std::string text;
  while (true) {
    if (rest.empty() || (!isTriple && rest.front() == '\n'))
      return found("a string without an end", startLine);
    if (isTriple ? absl::StartsWith(rest, triple) : rest.front() == quote)
      break;
    if (rest.front() == '\\') {
      absl::Status status = lexEscape(text);
      if (!status.ok())
        return status;
      continue;
    }
    line += rest.front() == '\n';
    absl::StrAppend(&text, take(1));
  }
  take(isTriple ? 3 : 1);
  token.kind = PythonToken::Literal;
  token.text = start.substr(0, start.size() - rest.size());
  token.value = std::move(text);
  return absl::OkStatus();
}

absl::Status PythonLexer::lexEscape(std::string &text) {
  static constexpr absl::string_view kLetters = "\\'\"nrt";
  static constexpr absl::string_view kMeanings = "\\'\"\n\r\t";
  take(1);
  char letter = rest.empty() ? '\0' : rest.front();
  if (letter == '\n') {
    take(1);
    ++line;
    return absl::OkStatus();
  }
  size_t index = kLetters.find(letter);
  if (index == absl::string_view::npos)
    return found(absl::StrCat("the escape ",
                              quoteName(absl::StrCat("\\", rest.substr(0, 1))),
                              " in a string"),
                 line);
  text += kMeanings[index];
  take(1);
  return absl::OkStatus();
}

void PythonLexer::lexOperator(PythonToken &token) {
  static constexpr absl::string_view kLong[] = {
      "**=", "//=", ">>=", "<<=", "...", "**", "//", "==",
      "!=",  "<=",  ">=",  "+=",  "-=",  "*=", "/=", "%=",
      "@=",  "&=",  "|=",  "^=",  "->",  ":=", "<<", ">>"};
  token.kind = PythonToken::Operator;
  for (absl::string_view op : kLong)
    if (absl::StartsWith(rest, op)) {
      token.text = take(op.size());
      return;
    }
  token.text = take(1);
  char c = token.text.front();
  if (c == '(' || c == '[' || c == '{')
    ++brackets;
  if (c == ')' || c == ']' || c == '}')
    brackets = std::max<int64_t>(brackets - 1, 0);
}

} // namespace t6
