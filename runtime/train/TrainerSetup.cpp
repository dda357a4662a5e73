//===- TrainerSetup.cpp - What a training run works on --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Opens the corpus, the run's folder and a checkpoint to go on from.
//
//===----------------------------------------------------------------------===//

#include "runtime/checkpoint/ReferenceCheckpoint.h"
#include "runtime/train/RunName.h"
#include "runtime/train/Trainer.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

#include <cmath>
#include <cstdlib>
#include <limits>

namespace t6 {

absl::StatusOr<std::unique_ptr<Trainer>>
Trainer::create(TrainingProgram &program, const TrainOptions &options,
                const Tokenizer *tokenizer, TrainObserver &observer,
                Communicator &ranks) {
  std::unique_ptr<Trainer> created(
      new Trainer(program, options, observer, ranks));
  absl::Status status = created->prepare(tokenizer);
  if (!status.ok())
    return status;
  return created;
}

/// The options must be those that the model was compiled for.
static absl::Status checkCompiled(const char *what, const char *flag,
                                  int64_t asked, int64_t compiled) {
  if (asked == 0 || asked == compiled)
    return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      what, " of ", asked, ": the model is compiled for ", compiled,
      ". HINT: leave it out, or compile with tpa-opt ", flag, "=", asked));
}

static absl::Status checkPrecision(TrainPrecision asked, DType compiled) {
  if (asked == TrainPrecision::Compiled ||
      (asked == TrainPrecision::BF16) == (compiled == DType::BF16))
    return absl::OkStatus();
  const char *name = asked == TrainPrecision::BF16 ? "bf16" : "f32";
  return absl::InvalidArgumentError(absl::StrCat(
      "a step in ", name, ": the model is compiled for ",
      compiled == DType::BF16 ? "bf16" : "f32",
      ". HINT: --precision=compiled, where a preset or a configuration asks "
      "for ",
      name, ", or compile with tpa-opt --dtype=", name));
}

absl::Status Trainer::prepare(const Tokenizer *tokenizer) {
  absl::Status status = checkTrainOptions(options);
  if (status.ok())
    status =
        checkCompiled("a batch", "--batch", options.batch, program.batch());
  if (status.ok())
    status = checkCompiled("sequences", "--max-length", options.length,
                           program.length());
  if (!status.ok())
    return status;
  if (status = checkPrecision(options.precision, program.compute());
      !status.ok())
    return status;
  absl::StatusOr<StepShape> divided =
      stepShape(options, program.batch(), program.length(), ranks.size(),
                ranks.launched());
  if (!divided.ok())
    return divided.status();
  shape = *divided;

  ScheduleOptions rates;
  absl::StatusOr<ScheduleKind> kind = parseScheduleKind(options.schedule);
  if (!kind.ok())
    return kind.status();
  rates.kind = *kind;
  rates.peak = options.learningRate;
  rates.minimum = endRate(options);
  rates.warmup = warmupSteps(options);
  rates.warmupKind =
      options.zeroFirstRate ? WarmupKind::kFromZero : WarmupKind::kFromFirst;
  rates.decay = decayEnd(options);
  rates.decayShare = options.decayShare;
  absl::StatusOr<Schedule> created = Schedule::create(rates);
  if (!created.ok())
    return created.status();
  schedule = *std::move(created);

  inputs.resize(program.batch() * program.length());
  targets.resize(inputs.size());
  trainingLoss = validationLoss = std::numeric_limits<double>::quiet_NaN();
  status = openData(tokenizer);
  if (status.ok() && ranks.rank() == 0)
    status = openRun();
  if (status.ok())
    status = shareStart();
  if (status.ok())
    openPeak();
  return status;
}

absl::Status Trainer::openData(const Tokenizer *tokenizer) {
  if (options.data.empty())
    return absl::InvalidArgumentError(
        "there is nothing to train on. HINT: --data with a folder of shards, a "
        "token file, or text");
  CorpusOptions how;
  how.window = program.length();
  how.vocabSize = static_cast<int32_t>(std::min(
      program.config().value("vocab_size", int64_t{0}), int64_t{INT32_MAX}));
  how.validationShare =
      options.validationData.empty() ? options.validationShare : 0;
  how.tokenizer = tokenizer;
  absl::StatusOr<Corpus> corpus =
      openCorpus(absl::MakeConstSpan(&options.data, 1), how);
  if (!corpus.ok())
    return corpus.status();
  TokenDataset validation = corpus->validation;
  if (!options.validationData.empty()) {
    absl::StatusOr<TokenDataset> own = openEvaluationCorpus(
        absl::MakeConstSpan(&options.validationData, 1), how);
    if (!own.ok())
      return own.status();
    validation = *std::move(own);
  }
  absl::StatusOr<SamplerKind> kind = parseSamplerKind(options.sampler);
  if (!kind.ok())
    return kind.status();
  auto open = [&](const TokenDataset &data, const char *stream,
                  std::optional<BatchSampler> &into) {
    SamplerOptions how;
    how.kind = *kind;
    how.batch = program.batch();
    how.length = program.length();
    how.seed = static_cast<uint64_t>(options.seed);
    how.stream = stream;
    absl::StatusOr<BatchSampler> created = BatchSampler::create(data, how);
    if (created.ok())
      into = *std::move(created);
    return created.status();
  };
  absl::Status status = open(corpus->training, "train", sampler);
  if (status.ok() && options.evalInterval > 0 && options.evalTraining)
    status = open(corpus->training,
                  options.evalSharesStream ? "train" : "evaluate-training",
                  trainingSample);
  if (!status.ok() || options.evalInterval == 0)
    return status;
  if (validation.empty()) {
    observer.note("there is no validation corpus: nothing is evaluated");
    return absl::OkStatus();
  }
  if (!options.evalFixedSet)
    return open(validation, "evaluate", redrawn);
  EvaluationOptions chosen;
  chosen.batch = program.batch();
  chosen.length = program.length();
  chosen.maxWindows = options.evalBatches * program.batch();
  absl::StatusOr<EvaluationSet> set =
      EvaluationSet::create(std::move(validation), chosen);
  if (set.ok())
    evaluationSet = *std::move(set);
  return set.status();
}

int64_t Trainer::parameterCount() const {
  int64_t count = 0;
  for (const NamedTensor &param : program.parameters())
    count += param.tensor.elements();
  return count;
}

absl::Status Trainer::openRun() {
  if (options.out.empty()) {
    const char *job = std::getenv("SLURM_JOB_ID");
    std::string dataset = options.data.substr(options.data.rfind('/') + 1);
    RunNameFacts facts{
        program.modelName(),
        parameterCount(),
        "adamw",
        options.learningRate,
        dataset,
        tokensOfStep() * double(lastStep()),
        absl::FormatTime("%Y%m%d_%H%M%S", absl::Now(), absl::LocalTimeZone()),
        job ? job : "0"};
    absl::StatusOr<std::string> name = expandRunName(options.runName, facts);
    if (!name.ok())
      return name.status();
    options.out = *std::move(name);
  }
  absl::StatusOr<std::unique_ptr<RunFolder>> opened =
      RunFolder::open(options.out, options.keepLast);
  if (!opened.ok())
    return opened.status();
  folder = *std::move(opened);

  ModelFingerprint own = fingerprintOf(program.config(), program.parameters());
  std::unique_ptr<TrainingCheckpoint> checkpoint;
  bool isReference = ReferenceCheckpoint::isOne(options.resume);
  if (options.resume == "never" || options.resume == "auto") {
    absl::StatusOr<LatestCheckpoint> latest = openLatest(options.out, &own);
    if (latest.ok() && options.resume == "never")
      return absl::InvalidArgumentError(absl::StrCat(
          options.out, " holds the run up to step ",
          latest->checkpoint->state().step,
          ". HINT: go on with --resume=auto, or choose another --out"));
    if (latest.ok())
      checkpoint = std::move(latest->checkpoint);
    else if (!absl::IsNotFound(latest.status()))
      return latest.status();
    else if (ReferenceCheckpoint::isOne(options.out))
      return absl::InvalidArgumentError(
          absl::StrCat(options.out,
                       " holds a checkpoint of the reference. HINT: go on with "
                       "--resume=",
                       options.out, ", or choose another --out"));
  } else if (!isReference) {
    absl::StatusOr<std::unique_ptr<TrainingCheckpoint>> found =
        TrainingCheckpoint::open(options.resume, &own);
    if (!found.ok())
      return found.status();
    checkpoint = *std::move(found);
  }
  if (checkpoint)
    if (absl::Status status = resume(*checkpoint); !status.ok())
      return status;
  if (isReference)
    if (absl::Status status = resumeReference(); !status.ok())
      return status;
  absl::StatusOr<std::unique_ptr<MetricsFile>> file = MetricsFile::resume(
      options.out + "/metrics.jsonl", {firstStep, /*evaluated=*/firstStep > 0});
  if (!file.ok())
    return file.status();
  metrics = *std::move(file);
  describe();
  return absl::OkStatus();
}

absl::Status Trainer::resume(const TrainingCheckpoint &checkpoint) {
  const TrainingState &state = checkpoint.state();
  absl::Status status = program.restore(checkpoint);
  if (!status.ok())
    return status;
  firstStep = state.step;
  savedStep = state.step;
  bestLoss = state.bestLoss;
  if (options.resumePosition) {
    position = state.samplerPosition;
    tokensTrained = state.tokensTrained;
    clippedSteps = state.counters.value("clipped_steps", int64_t{0});
    evaluations = state.counters.value("evaluations", int64_t{0});
    mfu = MfuAverage(state.counters.value("mfu", -1.0));
  }
  for (auto [name, own] : {std::pair("batch", program.batch()),
                           std::pair("length", program.length())})
    if (int64_t then = state.counters.value(name, own); then != own)
      observer.note(absl::StrCat("the checkpoint was trained with a ", name,
                                 " of ", then, ", not ", own,
                                 ": the data goes on at another place"));
  if (int64_t then = state.counters.value("step_tokens", shape.tokens);
      then != shape.tokens)
    observer.note(absl::StrCat("the checkpoint was trained with ", then,
                               " tokens a step, not ", shape.tokens,
                               ". HINT: --tokens-per-step keeps them equal on "
                               "any number of ranks"));
  if (state.seed != static_cast<uint64_t>(options.seed))
    observer.note(absl::StrCat("the checkpoint was trained with the seed ",
                               state.seed, ": the data's order differs"));
  observer.note(absl::StrCat("goes on after step ", state.step, " of ",
                             checkpoint.path()));
  return absl::OkStatus();
}

absl::Status Trainer::resumeReference() {
  absl::StatusOr<std::unique_ptr<ReferenceCheckpoint>> checkpoint =
      ReferenceCheckpoint::open(options.resume, program.description(),
                                program.parameters(), program.aliases());
  if (!checkpoint.ok())
    return checkpoint.status();
  if (absl::Status status = program.restore(**checkpoint); !status.ok())
    return status;
  const OptimizerFile *optimizer = (*checkpoint)->optimizer();
  if (!optimizer) {
    observer.note(absl::StrCat(
        "has the weights of ", (*checkpoint)->path(),
        ", which has no optimizer.pt: begins at step 0 with moments of zero"));
    return absl::OkStatus();
  }
  firstStep = optimizer->iteration();
  constexpr double kNoLossYet = 1e9; // As the reference's trainer begins.
  if (optimizer->bestLoss() < kNoLossYet)
    bestLoss = optimizer->bestLoss();
  std::string updates =
      optimizer->step() == firstStep
          ? ""
          : absl::StrCat(" Its moments have seen ", optimizer->step(),
                         " updates; the bias correction goes by iter_num.");
  observer.note(absl::StrCat(
      "goes on after step ", firstStep, " of ", (*checkpoint)->path(),
      ", a checkpoint of the reference. That holds weights, moments, iter_num "
      "and best_val_loss, but no position in the data, no tokens trained and "
      "no counters: the data begins at its beginning, and they at 0.",
      updates));
  return absl::OkStatus();
}

/// Makes the start of all ranks that of rank 0, and refuses ranks that do
/// something else.
absl::Status Trainer::shareStart() {
  if (ranks.size() == 1)
    return absl::OkStatus();
  // Paths may differ between machines.
  absl::StatusOr<nlohmann::json> settings = toJson(options);
  if (!settings.ok())
    return settings.status();
  for (const char *path :
       {"data", "validation-data", "tokenizer", "out", "run-name", "resume"})
    settings->erase(path);
  nlohmann::json task = {
      {"model", program.config()},       {"batch", program.batch()},
      {"length", program.length()},      {"corpus", sampler->windowsPerEpoch()},
      {"gradients", program.sumOrder()}, {"settings", *settings}};
  nlohmann::json start = {{"task", task},
                          {"first_step", firstStep},
                          {"saved_step", savedStep},
                          {"position", position},
                          {"tokens_trained", tokensTrained},
                          {"clipped_steps", clippedSteps},
                          {"evaluations", evaluations},
                          {"mfu", mfu.value()},
                          {"out", options.out}};
  if (bestLoss)
    start["best_loss"] = *bestLoss;
  std::string text = ranks.rank() == 0 ? start.dump() : "";
  if (absl::Status status = broadcastText(ranks, text); !status.ok())
    return status;
  start = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (start.is_discarded())
    return absl::InternalError("rank 0 has not told how it starts");
  for (const auto &[name, own] : task.items())
    if (start["task"][name] != own)
      return absl::InvalidArgumentError(absl::StrCat(
          "rank ", ranks.rank(), " has not the same ", name,
          " as rank 0. HINT: all ranks need the same model, corpus and "
          "options"));
  firstStep = start["first_step"];
  savedStep = start["saved_step"];
  position = start["position"];
  tokensTrained = start["tokens_trained"];
  clippedSteps = start["clipped_steps"];
  evaluations = start["evaluations"];
  mfu = MfuAverage(start["mfu"].get<double>());
  options.out = start["out"];
  if (start.contains("best_loss"))
    bestLoss = start["best_loss"].get<double>();
  return program.broadcast(ranks);
}

/// Finds what the MFU is a share of.
void Trainer::openPeak() {
  peakFlops = options.peakFlops;
  if (peakFlops == 0) {
    peakFlops = program.measurePeakFlops();
    if (peakFlops > 0)
      observer.note(absl::StrFormat(
          "the MFU is a share of %.1f GFLOP/s, measured: f32 multiply-adds on "
          "%d thread%s%s; --peak-flops sets another",
          peakFlops / 1e9, program.threads(), program.threads() == 1 ? "" : "s",
          ranks.size() == 1 ? "" : " of each rank"));
  }
  nlohmann::json keys = program.description();
  auto heads = keys.find("n_head");
  if (heads == keys.end() || !heads->is_number_integer())
    return;
  nlohmann::json config = program.config();
  referenceFlops = referenceFlopsPerToken(
      parameterCount(), config["layers"].get<int64_t>(), heads->get<int64_t>(),
      config["width"].get<int64_t>(), program.length());
}

/// What is easily mistaken, once.
void Trainer::describe() {
  std::string where =
      ranks.size() == 1 ? ""
                        : absl::StrCat(" on each of ", ranks.size(), " ranks");
  observer.line(absl::StrCat(
      shape.tokens, " tokens a step: ", shape.microBatches,
      " micro-batches of ", program.batch(), " x ", program.length(), where,
      "; ", lastStep() - firstStep, " steps; ", sampler->windowsPerEpoch(),
      " windows in the corpus; run in ", options.out));
}

} // namespace t6
