//===- PythonLiteralsTest.cpp - Tests of assignments in Python ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/train/PythonLiterals.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"

namespace t6 {
namespace {

using ::testing::HasSubstr;

std::optional<PythonValue> nothingKnown(absl::string_view) {
  return std::nullopt;
}

/// All assignments of `text`, a line each: "name = value".
std::string read(absl::string_view text) {
  auto assignments = readPythonAssignments(text, "c.py", nothingKnown);
  if (!assignments.ok())
    return std::string(assignments.status().message());
  std::string result;
  for (const PythonAssignment &a : *assignments)
    absl::StrAppend(&result, result.empty() ? "" : "; ", a.name, " = ",
                    pythonText(a.value));
  return result;
}

std::string valueOf(absl::string_view expression) {
  return read(absl::StrCat("x = ", expression));
}

/// What the error says was found, without the hint, which is the same for all.
std::string found(absl::string_view text) {
  std::string message = read(text);
  size_t hint = message.find("; HINT: the file is read, not executed, and may "
                             "hold only assignments of literals and their "
                             "arithmetic, such as batch_size = 4 * 6");
  return hint == std::string::npos ? "no error: " + message
                                   : message.substr(0, hint);
}

TEST(PythonLiterals, Literals) {
  EXPECT_EQ(valueOf("24"), "x = 24");
  EXPECT_EQ(valueOf("1_000_000"), "x = 1000000");
  EXPECT_EQ(valueOf("0xFF"), "x = 255");
  EXPECT_EQ(valueOf("0o17"), "x = 15");
  EXPECT_EQ(valueOf("0b101"), "x = 5");
  EXPECT_EQ(valueOf("00"), "x = 0");
  EXPECT_EQ(valueOf("9223372036854775807"), "x = 9223372036854775807");
  EXPECT_EQ(valueOf("6e-4"), "x = 0.0006");
  EXPECT_EQ(valueOf("1E+3"), "x = 1000.0");
  EXPECT_EQ(valueOf("1."), "x = 1.0");
  EXPECT_EQ(valueOf(".5"), "x = 0.5");
  EXPECT_EQ(valueOf("007.5"), "x = 7.5");
  EXPECT_EQ(valueOf("1e-320"), "x = 1e-320");
  EXPECT_EQ(valueOf("True"), "x = True");
  EXPECT_EQ(valueOf("False"), "x = False");
  EXPECT_EQ(valueOf("None"), "x = None");
}

TEST(PythonLiterals, Strings) {
  EXPECT_EQ(valueOf("'cosine'"), "x = 'cosine'");
  EXPECT_EQ(valueOf("\"it's\""), "x = 'it\\'s'");
  EXPECT_EQ(valueOf("'a' \"b\" 'c'"), "x = 'abc'");
  EXPECT_EQ(valueOf("('a'\n  'b')"), "x = 'ab'");
  EXPECT_EQ(valueOf("'''one\ntwo'''"), "x = 'one\\ntwo'");
  EXPECT_EQ(valueOf("'# no comment' # one"), "x = '# no comment'");
  EXPECT_EQ(valueOf(R"('tab\there\\')"), "x = 'tab\there\\\\'");
  EXPECT_EQ(valueOf("'a\\\nb'"), "x = 'ab'");
  EXPECT_EQ(valueOf("'\xC3\xBC'"), "x = '\xC3\xBC'");
}

TEST(PythonLiterals, Arithmetic) {
  EXPECT_EQ(valueOf("5 * 8"), "x = 40");
  EXPECT_EQ(valueOf("6e-4/10"), "x = 5.9999999999999995e-05");
  EXPECT_EQ(valueOf("8 / 2"), "x = 4.0");
  EXPECT_EQ(valueOf("120 // 24"), "x = 5");
  EXPECT_EQ(valueOf("-7 // 2"), "x = -4");
  EXPECT_EQ(valueOf("-7 % 3"), "x = 2");
  EXPECT_EQ(valueOf("7 % -3"), "x = -2");
  EXPECT_EQ(valueOf("-6 // 3"), "x = -2");
  EXPECT_EQ(valueOf("5 // -1"), "x = -5");
  EXPECT_EQ(valueOf("5 % -1"), "x = 0");
  EXPECT_EQ(valueOf("7.5 // 2"), "x = 3.0");
  EXPECT_EQ(valueOf("-7.5 % 2"), "x = 0.5");
  EXPECT_EQ(valueOf("4.0 % -2"), "x = -0.0");
  EXPECT_EQ(valueOf("-4 % 2.0"), "x = 0.0");
  EXPECT_EQ(valueOf("-0.0 // 2"), "x = -0.0");
  EXPECT_EQ(valueOf("1 + 2 * 3 - 4"), "x = 3");
  EXPECT_EQ(valueOf("(1 + 2) * 3"), "x = 9");
  EXPECT_EQ(valueOf("2 ** 10"), "x = 1024");
  EXPECT_EQ(valueOf("2 ** -1"), "x = 0.5");
  EXPECT_EQ(valueOf("-2 ** 2"), "x = -4");
  EXPECT_EQ(valueOf("2 ** 3 ** 2"), "x = 512");
  EXPECT_EQ(valueOf("(-1) ** 1000000000001"), "x = -1");
  EXPECT_EQ(valueOf("0 ** 0"), "x = 1");
  EXPECT_EQ(valueOf("--3"), "x = 3");
  EXPECT_EQ(valueOf("+3.5"), "x = 3.5");
}

TEST(PythonLiterals, Statements) {
  EXPECT_EQ(read(""), "");
  EXPECT_EQ(read("# only this"), "");
  EXPECT_EQ(read("a = 1; b = 2;\n\n  # indented comment\nc = 3"),
            "a = 1; b = 2; c = 3");
  EXPECT_EQ(read("\xEF\xBB\xBF"
                 "a = 1\r\nb = 2\r\n"),
            "a = 1; b = 2");
  EXPECT_EQ(read("\"\"\"What this is:\na = 5\n\"\"\"\na = 1"), "a = 1");
  EXPECT_EQ(read("a = (1 +  # first\n     2)\nb = 1 + \\\n  4"),
            "a = 3; b = 5");
  EXPECT_EQ(read("rank: int = 4"), "rank = 4");
  EXPECT_EQ(read("a = 1\na = 2"), "a = 1; a = 2");
  EXPECT_EQ(read("import time\nimport os\nfrom datetime import datetime\na=1"),
            "a = 1");
}

TEST(PythonLiterals, NamesStandForTheirLastValue) {
  auto known = [](absl::string_view name) -> std::optional<PythonValue> {
    if (name == "max_iters")
      return int64_t(500);
    return std::nullopt;
  };
  auto assignments = readPythonAssignments(
      "batch = 20\nbatch = 24\nunused = 1\nsteps = 120 // batch\n"
      "decay = max_iters\nmax_iters = 7\nend = max_iters\n",
      "c.py", known);
  ASSERT_TRUE(assignments.ok()) << assignments.status();
  ASSERT_EQ(assignments->size(), 7u);
  EXPECT_EQ(pythonText((*assignments)[3].value), "5");
  EXPECT_EQ(pythonText((*assignments)[4].value), "500");
  EXPECT_EQ(pythonText((*assignments)[6].value), "7");
  EXPECT_TRUE((*assignments)[1].read);
  EXPECT_FALSE((*assignments)[2].read);
  EXPECT_EQ((*assignments)[3].line, 4);
}

TEST(PythonLiterals, WhatIsNoAssignmentIsAnError) {
  EXPECT_EQ(found("a = 1\nprint(a)"), "c.py:2: found a call of \"print\"");
  EXPECT_EQ(found("print 'a'"), "c.py:1: found a call of \"print\"");
  EXPECT_EQ(found("t = time.time()"), "c.py:1: found a part of \"time\"");
  EXPECT_EQ(found("t = float('nan')"), "c.py:1: found a call of \"float\"");
  EXPECT_EQ(found("t = x[0]"), "c.py:1: found a part of \"x\"");
  EXPECT_EQ(found("a.b = 1"), "c.py:1: found a part of \"a\"");
  EXPECT_EQ(found("a[0] = 1"), "c.py:1: found a part of \"a\"");
  EXPECT_EQ(found("a = b"),
            "c.py:1: found the name \"b\", which has no value here");
  EXPECT_EQ(found("a += 1"), "c.py:1: found the name \"a\" before \"+=\"");
  EXPECT_EQ(found("a"),
            "c.py:1: found the name \"a\" before the end of the file");
  EXPECT_EQ(found("a = b = 1"),
            "c.py:1: found the name \"b\", which has no value here");
  EXPECT_EQ(found("a = 1\nb = a = 1"), "c.py:2: found \"=\"");
  EXPECT_EQ(found("a, b = 1, 2"), "c.py:1: found the name \"a\" before \",\"");
  EXPECT_EQ(found("a = 1, 2"), "c.py:1: found \",\"");
  EXPECT_EQ(found("a = [1]"), "c.py:1: found \"[\"");
  EXPECT_EQ(found("a = 1 if True else 2"), "c.py:1: found the name \"if\"");
  EXPECT_EQ(found("a = not True"),
            "c.py:1: found the name \"not\", which has no value here");
  EXPECT_EQ(found("a = 1 == 1"), "c.py:1: found \"==\"");
  EXPECT_EQ(found("a = "), "c.py:1: found the end of the file");
  EXPECT_EQ(found("a =\nb = 1"), "c.py:1: found the end of the line");
  EXPECT_EQ(found("a = (1\n"), "c.py:2: found the end of the file");
  EXPECT_EQ(found("a = 1)"), "c.py:1: found \")\"");
  EXPECT_EQ(found("True = 1"), "c.py:1: found the name \"True\" before \"=\"");
  EXPECT_EQ(found("5"), "c.py:1: found the literal \"5\"");
  EXPECT_EQ(found("a: list[int] = 5"), "c.py:1: found \"[\"");
  EXPECT_EQ(found("a = 5 b = 6"), "c.py:1: found the name \"b\"");
}

TEST(PythonLiterals, BlocksAreErrors) {
  EXPECT_EQ(found("if True:\n  a = 1"), "c.py:1: found the statement 'if'");
  EXPECT_EQ(found("def f():\n  pass"), "c.py:1: found the statement 'def'");
  EXPECT_EQ(found("a = 1\n  b = 2"), "c.py:2: found an indented line");
  EXPECT_EQ(found(" a = 1"), "c.py:1: found an indented line");
  EXPECT_EQ(found("@f\na = 1"), "c.py:1: found \"@\"");
}

TEST(PythonLiterals, ImportsThatCouldMatterAreErrors) {
  EXPECT_EQ(found("import base"), "c.py:1: found \"import base\"");
  EXPECT_EQ(found("from base import *"),
            "c.py:1: found \"from base import *\"");
  EXPECT_EQ(found("import os as rank"), "c.py:1: found \"import os as rank\"");
  EXPECT_EQ(found("from math import e"),
            "c.py:1: found \"from math import e\"");
  EXPECT_EQ(found("import"), "c.py:1: found \"import\"");
}

TEST(PythonLiterals, MalformedLiteralsAreErrors) {
  EXPECT_EQ(found("a = 012"),
            "c.py:1: found \"012\", a number with a leading zero");
  EXPECT_EQ(found("a = 1__0"), "c.py:1: found \"1__0\", which is no number");
  EXPECT_EQ(found("a = 1_"), "c.py:1: found \"1_\", which is no number");
  EXPECT_EQ(found("a = 0x"), "c.py:1: found \"0x\", which is no number");
  EXPECT_EQ(found("a = 0b2"), "c.py:1: found \"0b2\", which is no number");
  EXPECT_EQ(found("a = 1e"), "c.py:1: found \"1e\", which is no number");
  EXPECT_EQ(found("a = 1.2.3"), "c.py:1: found \"1.2.3\", which is no number");
  EXPECT_EQ(found("a = 3j"), "c.py:1: found \"3j\", which is no number");
  EXPECT_EQ(found("a = 5px"), "c.py:1: found \"5px\", which is no number");
  EXPECT_EQ(found("a = 1e999"),
            "c.py:1: found \"1e999\", a number beyond what a float holds");
  EXPECT_EQ(found("a = 9223372036854775808"),
            "c.py:1: found \"9223372036854775808\", an integer of more than 64 "
            "bits");
  EXPECT_EQ(found("a = 'open\nb = 1"), "c.py:1: found a string without an end");
  EXPECT_EQ(found("a = 1\nb = '''open\n"),
            "c.py:2: found a string without an end");
  EXPECT_EQ(found("a = 'open\\"), "c.py:1: found the escape \"\\\\\" in a "
                                  "string");
  EXPECT_EQ(found("a = '\\x41'"),
            "c.py:1: found the escape \"\\\\x\" in a string");
  EXPECT_EQ(found("a = f'{b}'"), "c.py:1: found a string with the prefix 'f'");
  EXPECT_EQ(found("a = rb''"), "c.py:1: found a string with the prefix 'rb'");
}

TEST(PythonLiterals, ArithmeticWithoutAResultIsAnError) {
  EXPECT_EQ(found("a = 1 // 0"), "c.py:1: found a division by zero");
  EXPECT_EQ(found("a = 1 / 0.0"), "c.py:1: found a division by zero");
  EXPECT_EQ(found("a = 1 % 0"), "c.py:1: found a division by zero");
  EXPECT_EQ(found("a = 2 ** 64"),
            "c.py:1: found a number too large for 64 bits or a float");
  EXPECT_EQ(found("a = 9223372036854775807 + 1"),
            "c.py:1: found a number too large for 64 bits or a float");
  EXPECT_EQ(found("a = -(-9223372036854775807 - 1)"),
            "c.py:1: found a number too large for 64 bits or a float");
  EXPECT_EQ(found("a = (-9223372036854775807 - 1) // -1"),
            "c.py:1: found a number too large for 64 bits or a float");
  EXPECT_EQ(found("a = 1e300 * 1e300"),
            "c.py:1: found a number too large for 64 bits or a float");
  EXPECT_EQ(found("a = 0 ** -1"), "c.py:1: found '**' without a result");
  EXPECT_EQ(found("a = (-8) ** 0.5"), "c.py:1: found '**' without a result");
  EXPECT_EQ(found("a = 1 + True"), "c.py:1: found '+' between int and bool");
  EXPECT_EQ(found("a = 'b' * 2"), "c.py:1: found '*' between str and int");
  EXPECT_EQ(found("a = -None"), "c.py:1: found '-' before NoneType");
}

TEST(PythonLiterals, DeepNestingIsAnError) {
  std::string deep(100000, '(');
  EXPECT_EQ(found("a = " + deep),
            "c.py:1: found an expression that is nested too deeply");
  EXPECT_EQ(found("a = " + std::string(100000, '-') + "1"),
            "c.py:1: found an expression that is nested too deeply");
  std::string powers = "a = 1";
  for (int i = 0; i < 100000; ++i)
    powers += "**1";
  EXPECT_EQ(found(powers),
            "c.py:1: found an expression that is nested too deeply");
}

TEST(PythonLiterals, WhatIsNotTextIsRefused) {
  EXPECT_THAT(read("a = '\xFF'"), HasSubstr("c.py is not text in UTF-8"));
  EXPECT_THAT(read(absl::string_view("a = 1\0", 6)),
              HasSubstr("c.py is not text in UTF-8"));
}

std::string literal(absl::string_view text) {
  std::optional<PythonValue> value = readPythonLiteral(text);
  return value ? absl::StrCat(pythonType(*value), " ", pythonText(*value))
               : "nothing";
}

TEST(PythonLiterals, SingleLiterals) {
  EXPECT_EQ(literal("24"), "int 24");
  EXPECT_EQ(literal("-24"), "int -24");
  EXPECT_EQ(literal("+1e-3"), "float 0.001");
  EXPECT_EQ(literal("True"), "bool True");
  EXPECT_EQ(literal("None"), "NoneType None");
  EXPECT_EQ(literal("'5'"), "str '5'");
  EXPECT_EQ(literal("true"), "nothing");
  EXPECT_EQ(literal("5*8"), "nothing");
  EXPECT_EQ(literal("a/b"), "nothing");
  EXPECT_EQ(literal("-'a'"), "nothing");
  EXPECT_EQ(literal("-True"), "nothing");
  EXPECT_EQ(literal("5 6"), "nothing");
  EXPECT_EQ(literal(""), "nothing");
  EXPECT_EQ(literal("\xFF"), "nothing");
}

} // namespace
} // namespace t6
