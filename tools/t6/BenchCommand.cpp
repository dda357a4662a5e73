//===- BenchCommand.cpp - t6 bench ----------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/t6/Command.h"
#include "tools/t6/Console.h"
#include "tools/t6/ModelArguments.h"
#include "tools/t6/Profile.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace t6::cli {
namespace {

/// Prompt processing (pp) or token generation (tg), after `depth` tokens.
struct Test {
  bool generate = false;
  int64_t tokens = 0;
  int64_t depth = 0;
  std::vector<double> seconds; ///< Of each repetition.

  std::string name() const {
    std::string text = (generate ? "tg" : "pp") + std::to_string(tokens);
    return depth ? text + " @ d" + std::to_string(depth) : text;
  }
};

struct Rate {
  double mean = 0;
  double deviation = 0; ///< Of the sample.
};

class BenchCommand : public Command {
public:
  const char *name() const override { return "bench"; }
  const char *summary() const override {
    return "Measure tokens a second, of prompts (pp) and of generation (tg)";
  }
  void declare(Options &options) override;
  int run() override;

private:
  int readFormats();
  std::vector<Test> tests(int64_t maxLength) const;
  t6_status *measure(Test &test, Progress &progress);
  t6_status *profile(const Test &test, Profile &sums);
  Rate rateOf(const Test &test) const;
  std::string markdown(const std::vector<Test> &tests) const;
  std::string jsonLine(const Test &test) const;
  int report(const std::vector<Test> &tests);

  ModelArguments model;
  std::vector<int64_t> prompt, generate, depths = {0};
  int64_t repetitions = 5;
  std::string output = "md";
  bool profiled = false;

  Model opened;
  t6_model_stats stats = {};
  nlohmann::ordered_json info;
  std::vector<std::string> formats;
};

void BenchCommand::declare(Options &options) {
  model.declare(options);
  options.add("-p,--prompt-tokens", prompt,
              "Prompt lengths; 512, or the most that fits, when absent");
  options.add("-n,--generate-tokens", generate,
              "Numbers of tokens to generate; 128 or what fits when absent");
  options.add("-d,--depth", depths, "Tokens that are in the cache before");
  options.add("-r,--repetitions", repetitions, "Measurements of each");
  options.add("-o,--output", output, "md, jsonl or both: md,jsonl");
  options.flag("--profile", profiled,
               "Also show every dispatch against the read bandwidth");
}

int BenchCommand::readFormats() {
  for (size_t begin = 0; begin <= output.size();) {
    size_t end = std::min(output.find(',', begin), output.size());
    formats.push_back(output.substr(begin, end - begin));
    if (formats.back() != "md" && formats.back() != "jsonl")
      return failUsage("--output: '" + formats.back() +
                       "' is not a format. HINT: -o md,jsonl");
    begin = end + 1;
  }
  if (repetitions < 1)
    return failUsage("--repetitions is 1 or more. HINT: -r 5");
  return kFine;
}

std::vector<Test> BenchCommand::tests(int64_t maxLength) const {
  std::vector<Test> list;
  for (int64_t depth : depths) {
    auto add = [&](bool generated, std::vector<int64_t> lengths,
                   int64_t usual) {
      if (lengths.empty())
        lengths = {std::min(usual, maxLength - depth)};
      for (int64_t length : lengths)
        if (length != 0)
          list.push_back({generated, length, depth, {}});
    };
    add(false, prompt, 512);
    add(true, generate, 128);
  }
  return list;
}

t6_status *BenchCommand::measure(Test &test, Progress &progress) {
  // The first run pays for memory and for code that has not been touched.
  for (int64_t i = -1; i < repetitions; ++i) {
    progress.update(format("%s, %lld of %lld", test.name().c_str(),
                           static_cast<long long>(std::max<int64_t>(i, 0)),
                           static_cast<long long>(repetitions)));
    double seconds = 0;
    int64_t tokens = i < 0 && test.generate ? std::min<int64_t>(test.tokens, 2)
                                            : test.tokens;
    if (t6_status *status = t6_measure(opened.get(), test.generate, test.depth,
                                       tokens, &seconds))
      return status;
    if (i >= 0)
      test.seconds.push_back(seconds);
  }
  return nullptr;
}

t6_status *BenchCommand::profile(const Test &test, Profile &sums) {
  auto add = [](void *user, const t6_dispatch_event *event) {
    static_cast<Profile *>(user)->add(*event);
  };
  // Fills the cache to the depth without being watched.
  double seconds = 0;
  if (t6_status *status = t6_measure(opened.get(), 0, test.depth, 1, &seconds))
    return status;
  if (t6_status *status = t6_model_set_profiler(opened.get(), add, &sums))
    return status;
  t6_status *status = t6_measure(opened.get(), test.generate, test.depth,
                                 test.tokens, &seconds);
  t6_status_free(t6_model_set_profiler(opened.get(), nullptr, nullptr));
  return status;
}

Rate BenchCommand::rateOf(const Test &test) const {
  std::vector<double> rates;
  for (double seconds : test.seconds)
    rates.push_back(static_cast<double>(test.tokens * stats.batch) / seconds);
  Rate rate;
  for (double value : rates)
    rate.mean += value / static_cast<double>(rates.size());
  for (double value : rates)
    rate.deviation += (value - rate.mean) * (value - rate.mean);
  rate.deviation =
      rates.size() < 2
          ? 0
          : std::sqrt(rate.deviation / static_cast<double>(rates.size() - 1));
  return rate;
}

std::string BenchCommand::markdown(const std::vector<Test> &list) const {
  std::string text = "| model | dtype | size | params | threads | batch | test "
                     "| tokens/s |\n| --- | --- | ---: | ---: | ---: | ---: | "
                     "---: | ---: |\n";
  for (const Test &test : list) {
    Rate rate = rateOf(test);
    text += format("| %s | %s | %s | %s | %d | %lld | %s | %.2f ± %.2f |\n",
                   info["model"]["name"].get<std::string>().c_str(),
                   info["options"]["dtype"].get<std::string>().c_str(),
                   bytesText(stats.param_bytes).c_str(),
                   countText(stats.parameters).c_str(), stats.threads,
                   static_cast<long long>(stats.batch), test.name().c_str(),
                   rate.mean, rate.deviation);
  }
  return text;
}

std::string BenchCommand::jsonLine(const Test &test) const {
  Rate rate = rateOf(test);
  nlohmann::ordered_json object;
  object["model"] = info["model"]["name"];
  object["attention"] = info["model"]["attention"];
  object["dtype"] = info["options"]["dtype"];
  object["cpu"] = info["cpu"]["name"];
  object["parameters"] = stats.parameters;
  object["param_bytes"] = stats.param_bytes;
  object["cache_bytes"] = stats.cache_bytes;
  object["threads"] = stats.threads;
  object["batch"] = stats.batch;
  object["test"] = test.name();
  object["n_prompt"] = test.generate ? 0 : test.tokens;
  object["n_gen"] = test.generate ? test.tokens : 0;
  object["n_depth"] = test.depth;
  object["tokens_per_second"] = rate.mean;
  object["stddev"] = rate.deviation;
  object["samples_seconds"] = test.seconds;
  return object.dump() + "\n";
}

int BenchCommand::report(const std::vector<Test> &list) {
  std::vector<Profile> profiles;
  if (profiled) {
    double bandwidth = 0;
    if (t6_status *status = t6_measure_bandwidth(opened.get(), &bandwidth))
      return fail(status);
    for (const Test &test : list) {
      profiles.emplace_back(bandwidth);
      if (t6_status *status = profile(test, profiles.back()))
        return fail(status);
    }
  }
  for (const std::string &kind : formats) {
    if (kind == "md")
      writeOut(markdown(list));
    for (size_t i = 0; i < list.size(); ++i) {
      if (kind == "jsonl")
        writeOut(jsonLine(list[i]));
      if (profiled)
        writeOut(kind == "md" ? "\n" + list[i].name() + profiles[i].markdown()
                              : profiles[i].jsonLines(list[i].name()));
    }
  }
  return kFine;
}

int BenchCommand::run() {
  if (int code = readFormats())
    return code;
  // Speed does not depend on what the weights are.
  model.randomWeights = model.weights.empty();
  if (t6_status *status = model.open(opened))
    return fail(status);
  char *json = nullptr;
  if (t6_status *status = t6_model_info(opened.get(), nullptr, &json))
    return fail(status);
  info = nlohmann::ordered_json::parse(json, nullptr, false);
  t6_free(json);
  std::vector<Test> list = tests(statsOf(opened.get()).max_length);
  Progress progress("bench");
  for (Test &test : list)
    if (t6_status *status = measure(test, progress)) {
      progress.clear();
      return fail(status);
    }
  progress.clear();
  // The number of threads is known by now.
  stats = statsOf(opened.get());
  return report(list);
}

} // namespace

std::unique_ptr<Command> makeBenchCommand() {
  return std::make_unique<BenchCommand>();
}

} // namespace t6::cli
