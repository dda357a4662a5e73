//===- T6Test.cpp - Tests of the command line -----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/api/testing/ToyModel.h"
#include "runtime/io/Safetensors.h"
#include "tools/t6/ProcessForTest.h"

#include <csignal>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace t6 {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::StartsWith;

using Arguments = std::vector<std::string>;

std::string artifact() { return writeTemporary("toy.t6x", toyArtifact()); }

/// generate toy.t6x --weights ..., and more.
Arguments generate(Arguments more, float scale = kToyScale) {
  Arguments arguments = {"generate", artifact(), "--weights",
                         toyWeights("toy.safetensors", scale)};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

std::string idsOf(const std::vector<int32_t> &tokens) {
  std::string text;
  for (int32_t token : tokens)
    text += (text.empty() ? "" : ",") + std::to_string(token);
  return text + "\n";
}

TEST(T6Test, Help) {
  Outcome help = runT6({"--help"});
  EXPECT_EQ(help.exitCode, 0);
  for (const char *name : {"generate", "eval", "run", "bench", "info", "check",
                           "convert", "tokenize", "train", "plot"})
    EXPECT_THAT(help.out, HasSubstr(name));
  EXPECT_EQ(help.err, "");
  EXPECT_THAT(runT6({"generate", "--help"}).out, HasSubstr("--temperature"));
  EXPECT_THAT(runT6({"train", "--help"}).out,
              HasSubstr("SLURM_PROCID, SLURM_STEP_NUM_TASKS"));
  Outcome version = runT6({"--version"});
  EXPECT_EQ(version.exitCode, 0);
  EXPECT_THAT(version.out, MatchesRegex("t6 [0-9]+\\.[0-9]+\\.[0-9]+\n"));
}

TEST(T6Test, GeneratesIds) {
  Outcome outcome = runT6(
      generate({"--tokens", "5,17,9", "--max-tokens", "8", "--seed", "1"}));
  EXPECT_EQ(outcome.exitCode, 0) << outcome.err;
  EXPECT_EQ(outcome.out, idsOf(toyContinuation({5, 17, 9}, 8)));
  EXPECT_THAT(outcome.err, HasSubstr("prompt: 3 tokens"));
  EXPECT_THAT(outcome.err, HasSubstr("output: 8 tokens"));
  EXPECT_THAT(outcome.err, HasSubstr("cache 128 B"));
  EXPECT_THAT(outcome.err, Not(HasSubstr("seed:")));
}

TEST(T6Test, CopiesWeightsWhereAsked) {
  Arguments tokens = {"--tokens", "5,17,9", "--max-tokens", "8"};
  Outcome mapped = runT6(generate(tokens));
  tokens.push_back("--copy-weights");
  Outcome copied = runT6(generate(tokens));
  EXPECT_EQ(copied.exitCode, 0) << copied.err;
  EXPECT_EQ(copied.out, mapped.out);
  EXPECT_THAT(mapped.err, HasSubstr("mapped and 0 B copied"));
  EXPECT_THAT(copied.err, HasSubstr("weights 0 B mapped and"));
}

TEST(T6Test, GeneratesText) {
  Arguments more = {"--tokenizer", "bytes",         "-p", "q", "-n", "5",
                    "-q",          "--temperature", "0"};
  Outcome outcome = runT6(generate(more));
  EXPECT_EQ(outcome.exitCode, 0);
  EXPECT_EQ(outcome.out, "rTO\uFFFD;\n");
  EXPECT_EQ(outcome.err, "");
  more.insert(more.end(), {"--stop", "TO", "--json"});
  json row = json::parse(runT6(generate(more)).out, nullptr, false);
  EXPECT_EQ(row["text"], "r");
  EXPECT_EQ(row["finish"], "stop");
}

TEST(T6Test, GeneratesABatch) {
  Outcome outcome = runT6(generate({"--tokens", "1,2,3,4,5,6", "--tokens", "9",
                                    "-n", "4", "--temperature=0"}));
  EXPECT_EQ(outcome.exitCode, 0) << outcome.err;
  EXPECT_EQ(outcome.out, idsOf(toyContinuation({1, 2, 3, 4, 5, 6}, 4)) +
                             idsOf(toyContinuation({9}, 4)));
}

TEST(T6Test, RandomWeightsAreEnoughToTry) {
  Arguments arguments = {"generate", artifact(), "--random-weights",
                         "--tokens", "1",        "-s",
                         "1",        "-n",       "3"};
  Outcome outcome = runT6(arguments);
  EXPECT_EQ(outcome.exitCode, 0) << outcome.err;
  EXPECT_EQ(runT6(arguments).out, outcome.out);
}

TEST(T6Test, SaysWhereItStopped) {
  Outcome outcome = runT6(generate({"--tokens", "1", "--temperature=0"}));
  EXPECT_EQ(outcome.exitCode, 0);
  EXPECT_THAT(outcome.err,
              HasSubstr("t6: note: row 0 stopped at the maximum length"));
}

TEST(T6Test, DrawsASeedAndPrintsIt) {
  Outcome first = runT6(generate({"--tokens", "1"}, 0.01f));
  ASSERT_THAT(first.err, StartsWith("seed: "));
  std::string seed = first.err.substr(6, first.err.find('\n') - 6);
  Outcome again =
      runT6(generate({"--tokens", "1", "--seed", seed, "-t", "1"}, 0.01f));
  EXPECT_EQ(again.out, first.out);
  Outcome other = runT6(generate({"--tokens", "1", "--seed", "1"}, 0.01f));
  EXPECT_NE(other.out, first.out);
}

TEST(T6Test, Precedence) {
  std::string config = writeTemporary(
      "config.json", R"({"max-tokens": 3, "temperature": 0, "data": "other",
                         "generate": {"max-tokens": 4, "quiet": true}})");
  auto count = [&](Arguments more,
                   std::vector<std::pair<std::string, std::string>> variables) {
    Arguments all = generate({"--tokens", "1", "--config", config});
    all.insert(all.end(), more.begin(), more.end());
    ProcessOptions options;
    options.environment = std::move(variables);
    Outcome outcome = runT6(all, options);
    EXPECT_EQ(outcome.err, "");
    return std::count(outcome.out.begin(), outcome.out.end(), ',') + 1;
  };
  EXPECT_EQ(count({}, {}), 4) << "the subcommand's own part of the file wins";
  EXPECT_EQ(count({}, {{"T6_MAX_TOKENS", "5"}}), 5);
  EXPECT_EQ(count({"-n", "6"}, {{"T6_MAX_TOKENS", "5"}}), 6);
}

TEST(T6Test, PrintsTheConfiguration) {
  std::string config = writeTemporary("config.json", R"({"top-k": 7})");
  ProcessOptions options;
  options.environment = {{"T6_MIN_P", "0.5"}};
  Outcome outcome = runT6(
      {"generate", "x.t6x", "--config", config, "-s", "3", "--print-config"},
      options);
  EXPECT_EQ(outcome.exitCode, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("top-k              = 7  (config)\n"));
  EXPECT_THAT(outcome.out,
              HasSubstr("min-p              = 0.5  (environment)\n"));
  EXPECT_THAT(outcome.out, HasSubstr("seed               = 3  (flag)\n"));
  EXPECT_THAT(outcome.out, HasSubstr("top-p              = 1  (default)\n"));
  EXPECT_THAT(outcome.out, HasSubstr("ignore-eos         = false  (default)"));
}

TEST(T6Test, Info) {
  Outcome outcome = runT6({"info", artifact(), "--dispatches"});
  EXPECT_EQ(outcome.exitCode, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("batch 2, maximum length 16"));
  EXPECT_THAT(outcome.out, HasSubstr("block.0/toy_prefill"));
  outcome = runT6({"info", artifact(), "--json"});
  EXPECT_EQ(json::parse(outcome.out, nullptr, false)["entries"].size(), 3u);
}

TEST(T6Test, Check) {
  Outcome outcome = runT6({"check", artifact()});
  EXPECT_EQ(outcome.exitCode, 0) << outcome.err;
  EXPECT_THAT(outcome.out, StartsWith("ok: 6 dispatches agree"));
  std::string wrong = writeTemporary(
      "wrong.t6x", toyArtifact(toyProgram(), FixtureKernels::Wrong));
  outcome = runT6({"check", wrong, "--entry", "decode"});
  EXPECT_EQ(outcome.exitCode, 4);
  EXPECT_EQ(outcome.out, "");
  EXPECT_THAT(outcome.err, StartsWith("t6: error: decode: dispatch 1 "
                                      "(block.0/toy_decode"));
}

TEST(T6Test, Bench) {
  Outcome outcome = runT6({"bench", artifact(), "-p", "4,8", "-n", "3", "-d",
                           "0,2", "-r", "2", "-o", "md,jsonl"});
  EXPECT_EQ(outcome.exitCode, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("| pp8 @ d2 | "));
  std::vector<json> lines;
  for (size_t at = outcome.out.find("\n{"); at != std::string::npos;
       at = outcome.out.find("\n{", at + 1))
    lines.push_back(
        json::parse(outcome.out.substr(at, outcome.out.find('\n', at + 1) - at),
                    nullptr, false));
  ASSERT_EQ(lines.size(), 6u);
  EXPECT_EQ(lines[5]["test"], "tg3 @ d2");
  EXPECT_EQ(lines[5]["n_gen"], 3);
  EXPECT_EQ(lines[5]["samples_seconds"].size(), 2u);
  EXPECT_GT(lines[0]["tokens_per_second"], 0);
}

TEST(T6Test, BenchProfile) {
  Outcome outcome = runT6({"bench", artifact(), "-p", "5", "-n", "0", "-r", "1",
                           "--profile", "-t", "1"});
  EXPECT_EQ(outcome.exitCode, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("read bandwidth: "));
  // Five tokens are two chunks.
  EXPECT_THAT(outcome.out, HasSubstr("| prefill block.*/toy_append | 2 | "));
}

TEST(T6Test, TokenizesAndEvaluates) {
  std::string text = writeTemporary(
      "text.txt", "Tokens of a text, more than there are in a window.\n");
  std::string tokens = freshPath("tokens.bin"), back = freshPath("back.txt");
  EXPECT_EQ(runT6({"tokenize", "bytes", text, tokens}).exitCode, 0);
  EXPECT_EQ(runT6({"tokenize", "--decode", "bytes", tokens, back}).exitCode, 0);
  EXPECT_EQ(readFile(back), readFile(text));
  Arguments arguments = {"eval",      artifact(),
                         "--weights", toyWeights("toy.safetensors", 0.01f),
                         "--data",    tokens};
  Outcome outcome = runT6(arguments);
  EXPECT_EQ(outcome.exitCode, 0) << outcome.err;
  EXPECT_THAT(outcome.out, StartsWith("loss "));
  EXPECT_THAT(outcome.out, HasSubstr("tokens      50\n"));
  arguments.push_back("--json");
  json result = json::parse(runT6(arguments).out, nullptr, false);
  EXPECT_EQ(result["windows"], 4);
  EXPECT_GT(result["loss_error"], 0);
}

TEST(T6Test, RunsAnyEntry) {
  std::vector<int32_t> data = {1, 2, 3, 4};
  TensorView view = {DType::I32, {2, 2}, data.data(), 16};
  std::string in = writeTemporary("in.safetensors", "");
  std::string out = freshPath("out.safetensors");
  ASSERT_TRUE(writeSafetensors(in, {{"tokens", view}, {"targets", view}}).ok());
  Outcome outcome =
      runT6({"run", artifact(), "--weights", toyWeights("toy.safetensors"),
             "--entry", "loss", "--inputs", in, "--outputs", out});
  EXPECT_EQ(outcome.exitCode, 0) << outcome.err;
  auto file = SafetensorsFile::open(out);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_NE((*file)->find("token_loss"), nullptr);
}

/// A state_dict with one float named "scale", as torch.save writes it.
std::string torchFile() {
  const char bytes[] = "\x80\x02}X\x05\0\0\0scalectorch._utils\n"
                       "_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\n"
                       "FloatStorage\nX\x01\0\0\0"
                       "0X\x03\0\0\0cpuK\x01tQK\0K\x01\x85K\x01\x85\x89"
                       "ccollections\nOrderedDict\n)RtRs.";
  std::string pickle(bytes, sizeof(bytes) - 1);
  std::string value(reinterpret_cast<const char *>(&kToyScale), 4);
  return zipFiles({{"archive/data.pkl", pickle},
                   {"archive/data/0", value},
                   {"archive/version", "3\n"}});
}

TEST(T6Test, ConvertsWhatTorchWrites) {
  std::string out = freshPath("converted.safetensors");
  Outcome outcome =
      runT6({"convert", writeTemporary("pytorch_model.bin", torchFile()), out});
  ASSERT_EQ(outcome.exitCode, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("1 tensors"));
  outcome = runT6({"generate", artifact(), "-w", out, "--tokens", "5,17,9",
                   "-n", "4", "--temperature", "0"});
  EXPECT_EQ(outcome.out, idsOf(toyContinuation({5, 17, 9}, 4)));
}

TEST(T6Test, AReaderThatLeavesIsNoError) {
  int pipe[2];
  ASSERT_EQ(::pipe2(pipe, O_CLOEXEC), 0);
  ::close(pipe[0]);
  ProcessOptions options;
  options.out = pipe[1];
  Outcome outcome =
      runT6(generate({"--tokens", "1", "--temperature=0"}), options);
  EXPECT_EQ(outcome.exitCode, 0) << outcome.err;
  // It does not go on for nobody.
  EXPECT_THAT(outcome.err, HasSubstr("output: 1 tokens"));
}

TEST(T6Test, AFullDiskBehindStdoutIsAnError) {
  ProcessOptions options;
  options.out = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
  ASSERT_GE(options.out, 0);
  Outcome outcome = runT6({"info", artifact()}, options);
  EXPECT_EQ(outcome.exitCode, 1);
  EXPECT_THAT(outcome.err,
              StartsWith("t6: error: cannot write to stdout: No space left"));
}

TEST(T6Test, InterruptEndsCleanly) {
  // A full pipe holds t6 up behind its first token.
  int pipe[2];
  ASSERT_EQ(::pipe2(pipe, O_CLOEXEC | O_NONBLOCK), 0);
  std::string block(4096, '-');
  while (::write(pipe[1], block.data(), block.size()) > 0)
    continue;
  ::fcntl(pipe[1], F_SETFL, 0);
  ::fcntl(pipe[0], F_SETFL, 0);
  ProcessOptions options;
  options.out = pipe[1];
  options.drain = pipe[0];
  options.interruptAt = "seed: ";
  Outcome outcome = runT6(generate({"--tokens", "5,17,9"}), options);
  EXPECT_EQ(outcome.exitCode, 130) << outcome.err;
  std::string text = outcome.out.substr(outcome.out.find_last_of('-') + 1);
  EXPECT_EQ(text, idsOf(toyContinuation({5, 17, 9}, 1)));
  EXPECT_THAT(outcome.err, HasSubstr("t6: note: interrupted\n"));
  EXPECT_THAT(outcome.err, HasSubstr("output: 1 tokens"));
}

} // namespace
} // namespace t6
