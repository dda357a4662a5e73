//===- GenerateTest.cpp - Tests of t6_generate ----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/api/Model.h"
#include "runtime/api/TestSupport.h"

#include <algorithm>
#include <map>
#include <thread>
#include <vector>

extern "C" int t6_header_test(void);

namespace t6 {
namespace {

using Tokens = std::vector<int32_t>;

struct RowResult {
  Tokens tokens;
  std::string text;
  t6_finish finish = T6_FINISH_NONE;
};

class GenerateTest : public ::testing::Test {
protected:
  GenerateTest() : model(openToy(toyArtifact())) {
    t6_generate_options_init(&options);
    t6_sampling_options_init(&sampling);
    sampling.temperature = 0;
    options.sampling = &sampling;
    options.user = this;
    options.callback = [](void *user, const t6_token_event *event) {
      return static_cast<GenerateTest *>(user)->onToken(*event);
    };
    result.struct_size = sizeof(result);
  }

  int onToken(const t6_token_event &event) {
    RowResult &row = rows[event.row];
    EXPECT_EQ(row.finish, T6_FINISH_NONE) << "an event after the last";
    if (event.token >= 0)
      row.tokens.push_back(event.token);
    row.text.append(event.text, event.text_bytes);
    row.finish = event.finish;
    return ++events == cancelAfter;
  }

  t6_status *generate(const std::vector<Tokens> &prompts) {
    std::vector<t6_prompt> list;
    for (const Tokens &prompt : prompts)
      list.push_back({nullptr, 0, prompt.data(), prompt.size()});
    rows.clear();
    events = 0;
    return t6_generate(model.get(), list.data(), list.size(), &options,
                       &result);
  }

  t6_status *generateText(const std::string &prompt) {
    t6_prompt one = {prompt.data(), prompt.size(), nullptr, 0};
    rows.clear();
    return t6_generate(model.get(), &one, 1, &options, &result);
  }

  ModelPtr model;
  TokenizerPtr tokenizer = openBytes();
  t6_generate_options options;
  t6_sampling_options sampling;
  t6_generate_result result = {};
  std::map<size_t, RowResult> rows;
  int events = 0;
  int cancelAfter = -1;
};

TEST_F(GenerateTest, HeaderIsC) { EXPECT_TRUE(t6_header_test()); }

TEST_F(GenerateTest, ContinuesAPrompt) {
  options.max_tokens = 6;
  ASSERT_T6_OK(generate({{5, 17, 9}}));
  EXPECT_EQ(rows[0].tokens, toyContinuation({5, 17, 9}, 6));
  EXPECT_EQ(rows[0].finish, T6_FINISH_MAX_TOKENS);
  EXPECT_EQ(rows.size(), 1u) << "rows that are not used are not reported";
  EXPECT_EQ(result.prompt_tokens, 3);
  EXPECT_EQ(result.generated_tokens, 6);
  EXPECT_EQ(result.decoded_tokens, 5);
  EXPECT_EQ(result.cache_bytes, 4 * kToyBatch * kToyLength);
}

// Every pair of lengths, so that rows end in the same chunk, in different ones,
// at the end of one, and at the end of the cache.
TEST_F(GenerateTest, RaggedBatchesEqualSingleRows) {
  for (int first = 1; first <= kToyLength; ++first)
    for (int second = 1; second <= kToyLength; ++second) {
      Tokens a, b;
      for (int i = 0; i < first; ++i)
        a.push_back((7 * i + first) % kToyVocab);
      for (int i = 0; i < second; ++i)
        b.push_back((11 * i + 3 * second) % kToyVocab);
      ASSERT_T6_OK(generate({a, b}));
      EXPECT_EQ(rows[0].tokens, toyContinuation(a, kToyLength - first + 1));
      EXPECT_EQ(rows[1].tokens, toyContinuation(b, kToyLength - second + 1));
      EXPECT_EQ(rows[0].finish, T6_FINISH_MAX_LENGTH);
      EXPECT_EQ(rows[1].finish, T6_FINISH_MAX_LENGTH);
    }
}

// While others' prompts go on: so that a state of the last tokens only stays
// what it is. A row that has ended is empty.
TEST_F(GenerateTest, RowsThatRestRunTheirLastTokenAgain) {
  Tokens longer = {4, 3, 9, 1, 5, 8, 2, 6, 7, 11}, shorter = {12, 40};
  ASSERT_GT(int(longer.size()), 2 * kToyChunk);
  options.max_tokens = 1;
  ASSERT_T6_OK(generate({longer, shorter}));
  enum { Prefill, Decode };
  auto likeliest = [&](int entry) {
    auto *row =
        static_cast<const float *>(model->executor->output(entry, 0).data) +
        kToyVocab;
    return std::max_element(row, row + kToyVocab) - row;
  };
  EXPECT_EQ(likeliest(Prefill), toyNext(shorter));
  int32_t stop = toyNext(shorter);
  options.stop_tokens = &stop;
  options.stop_token_count = 1;
  options.max_tokens = 3;
  ASSERT_T6_OK(generate({longer, shorter}));
  ASSERT_EQ(rows[0].tokens.size(), 3u);
  EXPECT_EQ(likeliest(Decode), toyNext({shorter.back()}));
}

/// The toy with a table of pages of four tokens, of which rows share `pages`.
/// Its kernels do not look at them: it is about which rows may go on.
Program pagedToy(int64_t pages) {
  constexpr int kPageTokens = 4;
  Program program = toyProgram();
  program.options.pageTokens = kPageTokens;
  for (Entry &entry : program.entries) {
    if (entry.name == "loss")
      continue;
    Buffer table;
    table.name = entry.name + ".pages";
    table.kind = BufferKind::Input;
    table.dtype = DType::I32;
    table.shape = {kToyBatch, kToyLength / kPageTokens};
    table.hasRange = true;
    table.rangeHigh = pages + 1;
    entry.inputs.push_back({"pages", int(program.buffers.size())});
    program.buffers.push_back(table);
  }
  return program;
}

TEST_F(GenerateTest, RowsThatEndLendTheirPagesAgain) {
  model = openToy(toyArtifact(pagedToy(5)));
  // Four pages, which end with the second token; then the second row, which
  // has one, takes three more.
  Tokens longer(15, 3), shorter = {12, 40};
  ASSERT_T6_OK(generate({longer, shorter}));
  EXPECT_EQ(rows[0].tokens, toyContinuation(longer, 2));
  EXPECT_EQ(rows[1].tokens, toyContinuation(shorter, kToyLength - 1));
  // Rows that are not used have no page.
  model = openToy(toyArtifact(pagedToy(4)));
  ASSERT_T6_OK(generate({shorter}));
  EXPECT_EQ(rows[0].tokens, toyContinuation(shorter, kToyLength - 1));
}

TEST_F(GenerateTest, SaysThatThePagesAreUsedUp) {
  model = openToy(toyArtifact(pagedToy(5)));
  Tokens prompt(9, 3);
  expectError(generate({prompt, prompt}), T6_USAGE_ERROR,
              "the prompts take 6 pages of 4 tokens");
  EXPECT_EQ(events, 0) << "work before it was refused";
  prompt.resize(8);
  expectError(generate({prompt, prompt}), T6_RUNTIME_ERROR,
              "the cache is full: row 1 needs 1 more page of 4 tokens to hold "
              "9, and 0 of 5 are free. HINT: run fewer");
  EXPECT_EQ(rows[1].tokens.size(), 1u);
  // The model is as good as before.
  ASSERT_T6_OK(generate({prompt}));
  EXPECT_EQ(rows[0].tokens, toyContinuation(prompt, kToyLength - 7));
}

TEST_F(GenerateTest, EndsAtStopTokens) {
  Tokens expected = toyContinuation({1, 2}, 5);
  int32_t stop = expected[3];
  options.stop_tokens = &stop;
  options.stop_token_count = 1;
  ASSERT_T6_OK(generate({{1, 2}}));
  expected.resize(std::find(expected.begin(), expected.end(), stop) -
                  expected.begin() + 1);
  EXPECT_EQ(rows[0].tokens, expected);
  EXPECT_EQ(rows[0].finish, T6_FINISH_STOP);
}

TEST_F(GenerateTest, NeverSamplesPadding) {
  // The checksum of this prompt is a padding id; with the tokenizer's size as
  // the limit, the next best token is 0.
  Tokens prompt = {257};
  ASSERT_EQ(toyNext(prompt), 258);
  options.max_tokens = 1;
  ASSERT_T6_OK(generate({prompt}));
  EXPECT_EQ(rows[0].tokens, Tokens{258});
  sampling.vocab_limit = 257;
  ASSERT_T6_OK(generate({prompt}));
  EXPECT_EQ(rows[0].tokens, Tokens{0});
  sampling.vocab_limit = 0;
  options.tokenizer = tokenizer.get();
  ASSERT_T6_OK(generate({prompt}));
  EXPECT_EQ(rows[0].tokens, Tokens{0});
}

TEST_F(GenerateTest, StopsAtTheEndToken) {
  // sum = 1 * (255 + 1) = 256: the end token of the byte tokenizer.
  options.tokenizer = tokenizer.get();
  options.max_tokens = 3;
  ASSERT_T6_OK(generate({{255}}));
  EXPECT_EQ(rows[0].tokens, Tokens{256});
  EXPECT_EQ(rows[0].finish, T6_FINISH_STOP);
  EXPECT_EQ(rows[0].text, "");
  options.ignore_eos = 1;
  ASSERT_T6_OK(generate({{255}}));
  EXPECT_EQ(rows[0].tokens.size(), 3u);
}

TEST_F(GenerateTest, StreamsValidUtf8AndStopTexts) {
  options.tokenizer = tokenizer.get();
  options.max_tokens = 5;
  ASSERT_T6_OK(generateText("q"));
  // The fourth is no character of its own, and nothing that follows mends it.
  EXPECT_EQ(rows[0].tokens, (Tokens{'r', 'T', 'O', 139, ';'}));
  EXPECT_EQ(rows[0].text, "rTO\uFFFD;");
  // At the end of the row, half a character is decided as well.
  options.max_tokens = 4;
  ASSERT_T6_OK(generateText("q"));
  EXPECT_EQ(rows[0].text, "rTO\uFFFD");
  options.max_tokens = 5;
  const char *stops[] = {"xyz", "O\uFFFD;"};
  options.stop_texts = stops;
  options.stop_text_count = 2;
  ASSERT_T6_OK(generateText("q"));
  EXPECT_EQ(rows[0].text, "rT");
  EXPECT_EQ(rows[0].finish, T6_FINISH_STOP);
  // What only might have become a stop text is given out at the end.
  options.max_tokens = 3;
  ASSERT_T6_OK(generateText("q"));
  EXPECT_EQ(rows[0].text, "rTO");
  EXPECT_EQ(rows[0].finish, T6_FINISH_MAX_TOKENS);
}

TEST_F(GenerateTest, PromptsMayNameSpecialTokens) {
  options.tokenizer = tokenizer.get();
  options.max_tokens = 0;
  ASSERT_T6_OK(generateText("<|endoftext|>"));
  EXPECT_EQ(result.prompt_tokens, 1);
  EXPECT_EQ(rows[0].finish, T6_FINISH_MAX_TOKENS);
  EXPECT_EQ(result.generated_tokens, 0);
}

TEST_F(GenerateTest, SeedDecides) {
  model = openToy(toyArtifact(), true, 0.01f);
  sampling.temperature = 1;
  sampling.seed = 7;
  ASSERT_T6_OK(generate({{3}}));
  Tokens once = rows[0].tokens;
  ASSERT_T6_OK(generate({{3}, {4, 5}}));
  EXPECT_EQ(rows[0].tokens, once) << "another row changed this one";
  sampling.seed = 8;
  ASSERT_T6_OK(generate({{3}}));
  EXPECT_NE(rows[0].tokens, once);
}

TEST_F(GenerateTest, CallbackCancels) {
  cancelAfter = 3;
  ASSERT_T6_OK(generate({{1}, {2}}));
  EXPECT_EQ(rows[0].tokens.size() + rows[1].tokens.size(), 3u);
  EXPECT_EQ(rows[0].finish, T6_FINISH_CANCELLED);
  EXPECT_EQ(rows[1].finish, T6_FINISH_CANCELLED);
}

TEST_F(GenerateTest, CancelEndsTheNextCallOnly) {
  t6_model_cancel(model.get());
  ASSERT_T6_OK(generate({{1}}));
  EXPECT_EQ(rows[0].finish, T6_FINISH_CANCELLED);
  EXPECT_TRUE(rows[0].tokens.empty());
  ASSERT_T6_OK(generate({{1}}));
  EXPECT_EQ(rows[0].finish, T6_FINISH_MAX_LENGTH);
}

TEST_F(GenerateTest, RefusesBadPrompts) {
  expectError(generate({{1, 260}}), T6_USAGE_ERROR,
              "prompt 0 has the token 260 at index 1");
  expectError(generate({{1}, {-1}}), T6_USAGE_ERROR,
              "prompt 1 has the token -1 at index 0");
  expectError(generate({{}}), T6_USAGE_ERROR, "prompt 0 is empty");
  expectError(generate({}), T6_USAGE_ERROR, "there is no prompt");
  expectError(generate({Tokens(17, 1)}), T6_USAGE_ERROR,
              "prompt 0 has 17 tokens, more than the maximum length 16");
  expectError(generate({{1}, {2}, {3}}), T6_USAGE_ERROR,
              "HINT: tpa-opt --batch=3");
  expectError(generateText("x"), T6_USAGE_ERROR, "needs a tokenizer");
  EXPECT_EQ(events, 0);
}

TEST_F(GenerateTest, RefusesBadOptions) {
  sampling.top_p = 2;
  expectError(generate({{1}}), T6_USAGE_ERROR, "top-p is 2");
  sampling.top_p = 1;
  options.max_tokens = -2;
  expectError(generate({{1}}), T6_USAGE_ERROR, "to generate is -2");
  options.max_tokens = 1;
  const char *empty[] = {""};
  options.stop_texts = empty;
  options.stop_text_count = 1;
  expectError(generate({{1}}), T6_USAGE_ERROR, "need a tokenizer");
  options.tokenizer = tokenizer.get();
  expectError(generate({{1}}), T6_USAGE_ERROR, "a stop text is empty");
  options.struct_size = 0;
  expectError(generate({{1}}), T6_USAGE_ERROR, "struct_size");
}

TEST_F(GenerateTest, NotANumberIsAnError) {
  model = openToy(toyArtifact(toyProgram(), FixtureKernels::Nan));
  expectError(generate({{1}}), T6_RUNTIME_ERROR, "nan");
}

TEST_F(GenerateTest, OlderCallersKeepWorking) {
  // A program that was built when the options ended before the callback.
  options.struct_size = offsetof(t6_generate_options, callback);
  options.max_tokens = 2;
  result.struct_size = offsetof(t6_generate_result, prompt_seconds);
  result.prompt_seconds = -1;
  ASSERT_T6_OK(generate({{1}}));
  EXPECT_EQ(events, 0);
  EXPECT_EQ(result.generated_tokens, 2);
  EXPECT_EQ(result.prompt_seconds, -1) << "written beyond the caller's struct";
}

// An artifact may say anything; what is not the standard is refused.
TEST_F(GenerateTest, RefusesEntriesOfAnotherForm) {
  Program program = toyProgram();
  program.entries[0].name = "other";
  model = openToy(toyArtifact(program));
  expectError(generate({{1}}), T6_ARTIFACT_ERROR, "has no entry 'prefill'");
  program = toyProgram();
  program.entries[1].outputs[0].name = "scores";
  model = openToy(toyArtifact(program));
  expectError(generate({{1}}), T6_ARTIFACT_ERROR,
              "'decode' does not take tokens, positions and give logits");
  program = toyProgram();
  program.model.vocabSize = 1000;
  model = openToy(toyArtifact(program));
  expectError(generate({{1}}), T6_ARTIFACT_ERROR, "and not F32 [2, 1000]");
  program = toyProgram();
  program.options.maxLength = 0;
  model = openToy(toyArtifact(program));
  expectError(generate({{1}}), T6_ARTIFACT_ERROR, "a maximum length of 0");
}

} // namespace
} // namespace t6
