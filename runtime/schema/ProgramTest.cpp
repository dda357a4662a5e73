//===- ProgramTest.cpp ----------------------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/schema/Program.h"

#include "runtime/artifact/testing/FixtureArtifact.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <limits>
#include <ostream>

using nlohmann::json;
using testing::HasSubstr;

namespace t6 {
namespace {

/// The fixture's program as JSON, with the file records it needs.
json validJson() {
  Program program = fixtureProgram();
  program.files = {{"kernels.so", 10, 1}, {"constants.bin", 76, 0xabc}};
  return json::parse(serializeProgram(program));
}

TEST(Program, RoundTrips) {
  std::string text = validJson().dump();
  absl::StatusOr<Program> program = parseProgram(text);
  ASSERT_TRUE(program.ok()) << program.status();
  std::string again = serializeProgram(*program);
  EXPECT_EQ(json::parse(again), json::parse(text));
  EXPECT_EQ(program->findFile("constants.bin")->xxh3, 0xabcu);
}

TEST(Program, KeepsWhatKernelsRound) {
  Program program = fixtureProgram();
  program.files = {{"kernels.so", 10, 1}, {"constants.bin", 76, 0xabc}};
  program.kernels[1].roundsToBf16 = true;
  absl::StatusOr<Program> again = parseProgram(serializeProgram(program));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_FALSE(again->kernels[0].roundsToBf16);
  EXPECT_TRUE(again->kernels[1].roundsToBf16);
}

TEST(Program, KeepsTheConfigOfItsModel) {
  json root = validJson();
  json::json_pointer config("/model/config");
  EXPECT_FALSE(root.contains(config)) << "it is optional";
  EXPECT_EQ(parseProgram(root.dump())->model.config, "");
  root[config] = {{"n_head", 6}, {"dropout", 0.0}, {"bias", false}};
  absl::StatusOr<Program> program = parseProgram(root.dump());
  ASSERT_TRUE(program.ok()) << program.status();
  EXPECT_EQ(json::parse(program->model.config), root[config]);
  EXPECT_EQ(json::parse(serializeProgram(*program)), root);
  root[config] = "n_head";
  EXPECT_THAT(std::string(parseProgram(root.dump()).status().message()),
              ::testing::HasSubstr("model.config"));
}

TEST(Program, ResolvesScalarsAndSizes) {
  absl::StatusOr<Program> program = parseProgram(validJson().dump());
  ASSERT_TRUE(program.ok()) << program.status();
  const Buffer &y = program->buffers[program->findBuffer("step.y")];
  EXPECT_EQ(y.maxBytes, 2 * 4 * 3 * 4);
  EXPECT_EQ(y.entry, 0);
  EXPECT_EQ(y.shape[1].scalarIndex, 0);
  const Scalar &m = program->entries[0].scalars[1];
  EXPECT_EQ(m.plus.scalarIndex, 0);
  EXPECT_EQ(m.input, 1);
  EXPECT_EQ(program->findEntry("step"), 0);
  EXPECT_EQ(program->findEntry("other"), -1);
}

TEST(Program, EndsRangesAtScalars) {
  json root = validJson();
  root[json::json_pointer("/buffers/5/range")] = {0, "n"};
  absl::StatusOr<Program> program = parseProgram(root.dump());
  ASSERT_TRUE(program.ok()) << program.status();
  const Buffer &positions = program->buffers[5];
  EXPECT_TRUE(positions.hasRange);
  EXPECT_EQ(positions.rangeHigh.at({3, 8}), 3);
  EXPECT_EQ(json::parse(serializeProgram(*program)), root);
}

TEST(Program, ReadsInitialValues) {
  json root = validJson();
  json::json_pointer bias("/buffers/1/init");
  EXPECT_FALSE(root.contains(bias)) << "it is optional";
  root[bias] = {{"kind", "constant"}, {"value", 1}};
  absl::StatusOr<Program> program = parseProgram(root.dump());
  ASSERT_TRUE(program.ok()) << program.status();
  ASSERT_TRUE(program->buffers[0].init.has_value());
  EXPECT_EQ(program->buffers[0].init->kind, Init::Kind::Uniform);
  EXPECT_EQ(program->buffers[0].init->value, 0.125);
  ASSERT_TRUE(program->buffers[1].init.has_value());
  EXPECT_EQ(program->buffers[1].init->kind, Init::Kind::Constant);
  EXPECT_EQ(program->buffers[1].init->value, 1);
  EXPECT_EQ(json::parse(serializeProgram(*program)), root);
  root[bias] = {{"kind", "normal"}, {"value", 0.02}};
  program = parseProgram(root.dump());
  ASSERT_TRUE(program.ok()) << program.status();
  EXPECT_EQ(program->buffers[1].init->kind, Init::Kind::Normal);
  EXPECT_EQ(json::parse(serializeProgram(*program)), root);
}

TEST(Program, CountsWorkgroups) {
  absl::StatusOr<Program> program = parseProgram(validJson().dump());
  ASSERT_TRUE(program.ok()) << program.status();
  const std::vector<Dispatch> &dispatches = program->entries[0].dispatches;
  EXPECT_EQ(workgroupsAt(dispatches[0], {3, 8}), 6);
  EXPECT_EQ(workgroupsAt(dispatches[1], {3, 8}), 2); // ceil(3 / 2)
  EXPECT_EQ(workgroupsAt(dispatches[3], {3, 8}), 1); // No grid: one.
  EXPECT_EQ(workgroupsAt(dispatches[4], {3, 8}), 24);
}

TEST(Program, EvaluatesCosts) {
  CostPolynomial polynomial = {{100, {}}, {3, {0, 1}}, {2, {1, 1}}};
  EXPECT_EQ(costAt(polynomial, {5, 7}), 100 + 3 * 35 + 2 * 49);
  EXPECT_EQ(costAt({}, {5, 7}), 0);
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(costAt({{kMost / 2, {0}}, {kMost / 2, {0}}}, {2}), kMost);
}

TEST(Program, RefusesAnotherSchema) {
  json root = validJson();
  root["schema"] = 7;
  absl::Status status = parseProgram(root.dump()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("schema 7 is not supported (this runtime reads 1). "
                        "HINT: recompile with a matching tpa-opt"));
}

TEST(Program, RefusesWhatIsNotJson) {
  for (const std::string &text :
       {std::string(), std::string("{"), std::string("[]"), std::string("7"),
        std::string(100000, '['), std::string("{\"schema\": 1}"),
        std::string("{\"schema\": \"1\"}"), std::string("\xff\xfe")})
    EXPECT_EQ(parseProgram(text).status().code(), absl::StatusCode::kDataLoss);
}

/// One thing wrong: the JSON pointer to replace, its value, and a part of what
/// is to be said.
struct Damage {
  const char *pointer;
  json value;
  const char *message;
};

void PrintTo(const Damage &damage, std::ostream *out) {
  *out << damage.pointer << " = " << damage.value.dump();
}

class ProgramDamage : public testing::TestWithParam<Damage> {};

TEST_P(ProgramDamage, IsRefused) {
  json root = validJson();
  root[json::json_pointer(GetParam().pointer)] = GetParam().value;
  absl::Status status = parseProgram(root.dump()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr(GetParam().message));
  EXPECT_THAT(std::string(status.message()), HasSubstr("HINT: "));
}

// Buffers: 0 embedding.weight, 1 bias, 2 cache, 3 scale, 4 tokens, 5 positions,
// 6 y, 7 sum, 8 counts, 9 arena.
const json kHuge = int64_t{1} << 39;
INSTANTIATE_TEST_SUITE_P(
    Buffers, ProgramDamage,
    testing::Values(
        Damage{"/buffers", nullptr, "buffers is missing"},
        Damage{"/buffers", 3, "buffers is not a list"},
        Damage{"/buffers/0/name", "bias", "buffers[1] repeats the name 'bias'"},
        Damage{"/buffers/0/name", "a\nb", "buffers[0].name has a control"},
        Damage{"/buffers/0/name", "", "buffers[0].name is empty"},
        Damage{"/buffers/0/kind", "magic", "buffers[0].kind is \"magic\""},
        Damage{"/buffers/0/dtype", "f8", "buffers[0].dtype is \"f8\""},
        Damage{"/buffers/0/dtype", "i32",
               "dtype of a param is none of f32, bf16 and i8"},
        Damage{"/buffers/0/shape", json::array({5, -3}), "shape[1] is -3"},
        Damage{"/buffers/0/shape", json::array({5, 1.5}), "not an integer"},
        Damage{"/buffers/0/shape", json::array({5, uint64_t{1} << 63}),
               "is 9223372036854775808"},
        Damage{"/buffers/0/shape", json::array({kHuge, kHuge}), "GiB"},
        Damage{"/buffers/0/shape", json::array({"n"}), "names a scalar"},
        Damage{"/buffers/0/shape", json(std::vector<int>(9, 1)),
               "9 elements, more than 8"},
        Damage{"/buffers/0/stored_shape", json::array({14}), "stored_shape is"},
        Damage{"/buffers/0/init", 1, "init.value is missing"},
        Damage{"/buffers/0/init/value", "1", "init.value is not a number"},
        Damage{"/buffers/0/init/value", 1e39, "is 1e+39, not in [-3.4"},
        Damage{"/buffers/0/init/value", 0, "is 0, but a uniform"},
        Damage{"/buffers/1/init", json({{"kind", "normal"}, {"value", -1.5}}),
               "buffers[1].init.value is -1.5, but a normal"},
        Damage{"/buffers/0/init/kind", "cauchy", "init.kind is \"cauchy\""},
        Damage{"/buffers/0/init/kind", nullptr, "init.kind is missing"},
        Damage{"/buffers/2/init", json({{"kind", "constant"}, {"value", 0}}),
               "buffers[2].init is only for params"},
        Damage{"/buffers/0/range", json::array({0, 5}), "only for i32 inputs"},
        Damage{"/buffers/2/shape", json::array({kHuge}), "GiB"},
        Damage{"/buffers/3/offset", 64, "not inside constants.bin"},
        Damage{"/buffers/3/offset", -4, "offset is -4"},
        Damage{"/buffers/3/offset", 58, "not aligned"},
        Damage{"/buffers/4/range", json::array({0}), "not [low, high]"},
        Damage{"/buffers/4/range", json::array({5, 5}), "range[1] is 5"},
        Damage{"/buffers/4/range", json::array({0, "q"}), "'q'"},
        Damage{"/buffers/4/shape", json::array({2, "q"}), "'n' in the shape"},
        Damage{"/buffers/6/shape", json::array({2, "q"}), "'q'"}));

INSTANTIATE_TEST_SUITE_P(
    Header, ProgramDamage,
    testing::Values(
        Damage{"/producer", 1, "producer is not a string"},
        Damage{"/model", nullptr, "model is missing"},
        Damage{"/model/layers", -1, "model.layers is -1"},
        Damage{"/options/batch", 0, "options.batch is 0"},
        Damage{"/options/dtype", "f33", "options.dtype"},
        Damage{"/cpu/features", "avx", "cpu.features is not a list"},
        Damage{"/files/kernels.so/xxh3", "12", "not 16 hexadecimal digits"},
        Damage{"/files/kernels.so/xxh3", "123456789012345g", "hexadecimal"},
        Damage{"/files/kernels.so/bytes", -1, "bytes is -1"},
        Damage{"/files", json::array(), "files is not an object"},
        Damage{"/kernels/1/symbol", "fixture_gather", "repeats the symbol"},
        Damage{"/kernels/1/rounds", "f32", "rounds is not bf16"},
        Damage{"/kernels", json::array(), "no kernels"}));

INSTANTIATE_TEST_SUITE_P(
    Entries, ProgramDamage,
    testing::Values(
        Damage{"/entries/0/inputs/0/buffer", 10, "inputs[0].buffer is 10"},
        Damage{"/entries/0/inputs/0/buffer", 6, "kind output, not input"},
        Damage{"/entries/0/inputs/1/buffer", 4, "listed twice"},
        Damage{"/entries/0/inputs/1/name", "tokens", "repeats the name"},
        Damage{"/entries/0/outputs", json::array(), "does not list"},
        Damage{"/entries/0/scalars/0/max", 0, "max is 0"},
        Damage{"/entries/0/scalars/0/max", int64_t{1} << 31, "max is 2147"},
        Damage{"/entries/0/scalars/0/dim/axis", 0, "axis is 0"},
        Damage{"/entries/0/scalars/0/dim/axis", 7, "axis is 7"},
        Damage{"/entries/0/scalars/0/dim/input", "x", "'x'"},
        Damage{"/entries/0/scalars/0/end", json::object(), "exactly one"},
        Damage{"/entries/0/scalars/1/name", "n", "repeats the name 'n'"},
        Damage{"/entries/0/scalars/1/end/plus", "m", "'m'"},
        Damage{"/entries/0/scalars/1/end/input", "y", "'y'"}));

#define DISPATCH "/entries/0/dispatches/0"
INSTANTIATE_TEST_SUITE_P(
    Dispatches, ProgramDamage,
    testing::Values(
        Damage{DISPATCH "/kernel", 5, "kernel is 5, not in [0, 4]"},
        Damage{DISPATCH "/kernel", -1, "kernel is -1"},
        Damage{DISPATCH "/grid/0/tile", 0, "tile is 0"},
        Damage{DISPATCH "/grid/0/extent", 0, "extent is 0"},
        Damage{DISPATCH "/grid/0/extent", kHuge, "workgroups"},
        Damage{DISPATCH "/grid/0/extent", "q", "'q'"},
        Damage{DISPATCH "/bindings/0/buffer", 10, "buffer is 10"},
        Damage{DISPATCH "/bindings/2/offset", 4096, "outside of buffer"},
        Damage{DISPATCH "/bindings/2/offset", -64, "offset is -64"},
        Damage{DISPATCH "/bindings/2/bytes", 3969, "outside of buffer"},
        Damage{DISPATCH "/bindings/2/dtype", "f31", "dtype is"},
        Damage{DISPATCH "/bindings/1/offset", 2, "not aligned"},
        Damage{DISPATCH "/scalars/0", "q", "'q'"},
        Damage{DISPATCH "/writes/0", 3, "writes[0] is 3"},
        Damage{DISPATCH "/writes/0", 0, "a buffer of kind input"},
        Damage{DISPATCH "/writes", json::array({2, 2}), "repeats a binding"},
        Damage{DISPATCH "/cost/read/0/0", -1, "cost.read[0][0] is -1"},
        Damage{DISPATCH "/cost/read/0", json::array(), "no coefficient"},
        Damage{DISPATCH "/cost/flops", 3, "flops is not a list"}));

TEST(Program, RefusesWritesToConstants) {
  json root = validJson();
  root["entries"][0]["dispatches"][1]["writes"] = {1};
  EXPECT_THAT(std::string(parseProgram(root.dump()).status().message()),
              HasSubstr("'scale', a buffer of kind constant"));
}

TEST(Program, KeepsPortsToTheirEntry) {
  json root = validJson();
  json other = {{"name", "other"},
                {"scalars", json::array()},
                {"inputs", json::array()},
                {"outputs", json::array()},
                {"dispatches", {root["entries"][0]["dispatches"][4]}}};
  root["entries"].push_back(other);
  EXPECT_THAT(std::string(parseProgram(root.dump()).status().message()),
              HasSubstr("'step.counts', which this entry does not list"));
}

TEST(Program, RefusesPortsOfNoEntry) {
  json root = validJson();
  root["buffers"].push_back({{"name", "lonely"},
                             {"kind", "output"},
                             {"dtype", "f32"},
                             {"shape", {"n"}}});
  EXPECT_THAT(std::string(parseProgram(root.dump()).status().message()),
              HasSubstr("buffers[10] is an output that no entry lists"));
}

TEST(Program, IgnoresMembersItDoesNotKnow) {
  json root = validJson();
  root["later"] = {{"x", 1}};
  EXPECT_TRUE(parseProgram(root.dump()).ok());
}

} // namespace
} // namespace t6
