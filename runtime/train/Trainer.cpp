//===- Trainer.cpp - A training run ---------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The steps of a run. TrainerSetup.cpp opens what they work on.
//
//===----------------------------------------------------------------------===//

#include "runtime/train/Trainer.h"

#include "runtime/train/LossPlot.h"

#include "absl/strings/str_cat.h"

#include <cmath>
#include <limits>

namespace t6 {

static double now() {
  return std::chrono::duration<double>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

//===----------------------------------------------------------------------===//
// Steps
//===----------------------------------------------------------------------===//

/// The mean loss over the step's micro-batches, and the last one's. Leaves
/// `stopped` where the observer interrupts: then there is no step.
absl::StatusOr<double> Trainer::accumulate(double &last) {
  double sum = 0;
  for (int64_t micro = 0; micro < shape.microBatches; ++micro) {
    if (observer.interrupted()) {
      stopped = true;
      return sum;
    }
    absl::Status status =
        sampler->fill(static_cast<int64_t>(position) + micro,
                      absl::MakeSpan(inputs), absl::MakeSpan(targets));
    if (!status.ok())
      return status;
    absl::StatusOr<float> loss = program.accumulate(inputs, targets);
    if (!loss.ok())
      return loss.status();
    last = *loss;
    sum += last;
    if (!std::isfinite(last))
      return last;
  }
  return sum / static_cast<double>(shape.microBatches);
}

absl::Status Trainer::notFinite(int64_t number, double loss) {
  std::string tensor = program.firstNotFinite();
  std::string first = tensor.empty()
                          ? "though all parameters and gradients are finite"
                          : absl::StrCat("and '", tensor,
                                         "' is the first tensor that is not "
                                         "finite");
  std::string kept = savedStep < 0
                         ? "no checkpoint was saved before"
                         : absl::StrCat("the checkpoint of step ", savedStep,
                                        " is in ", folder->path());
  return absl::InternalError(absl::StrCat(
      "step ", number, ": the loss is ", loss, ", ", first, "; ", kept,
      ". HINT: a lower --learning-rate, a longer --warmup, or --clip=1"));
}

absl::Status Trainer::step(int64_t number) {
  double start = now(), last = 0;
  absl::StatusOr<double> loss = accumulate(last);
  if (!loss.ok())
    return loss.status();
  if (stopped)
    return absl::OkStatus();
  if (!std::isfinite(*loss))
    return notFinite(number, *loss);
  double micro = static_cast<double>(shape.microBatches);
  AdamwStep update;
  update.learningRate = schedule->rate(number);
  update.beta1 = options.beta1;
  update.beta2 = options.beta2;
  update.epsilon = options.epsilon;
  update.matrixDecay = options.weightDecay;
  update.vectorDecay = options.decayedParameters == DecayedParameters::All
                           ? options.weightDecay
                           : 0;
  bool isMean = options.gradientReduction == GradientReduction::Mean;
  update.gradientScale = isMean ? 1 / micro : 1;
  update.maxNorm = options.clip;
  update.number = number + 1;
  absl::StatusOr<StepNorms> norms = program.apply(update);
  if (!norms.ok())
    return norms.status();
  if (!std::isfinite(norms->gradient) || !std::isfinite(norms->parameter))
    return notFinite(number, *loss);
  position += static_cast<uint64_t>(shape.microBatches);
  tokensTrained += shape.tokens;
  clippedSteps += options.clip > 0 && norms->gradient > options.clip;
  trainingLoss = *loss;

  StepFacts facts;
  facts.iteration = number;
  facts.lastLoss = last;
  facts.meanLoss = *loss;
  facts.seconds = now() - start;
  facts.tokens = shape.tokens;
  facts.tokensTrained = tokensTrained;
  facts.learningRate = update.learningRate;
  facts.parameterNorm = norms->parameter;
  facts.momentNorm = norms->moment;
  facts.secondMomentNorm = norms->secondMoment;
  facts.gradientNorm = norms->gradient;
  facts.meanGradientNorm = isMean ? norms->gradient : norms->gradient / micro;
  facts.clippedSteps = clippedSteps;
  report(facts);
  if (number % options.logInterval != 0 && number + 1 != lastStep())
    return absl::OkStatus();
  return metrics->append(stepRecord(facts, options.logLastLoss));
}

/// Updates averages, and tells the observer.
void Trainer::report(StepFacts facts) {
  timeLeft.add(facts.seconds);
  bool isLogged = facts.iteration % options.logInterval == 0 ||
                  facts.iteration + 1 == lastStep();
  if (isLogged) {
    double flopsPerToken =
        static_cast<double>(program.flops()) /
        static_cast<double>(program.batch() * program.length());
    double use = modelFlopsUse(flopsPerToken, tokensOfStep(), facts.seconds,
                               options.peakFlops);
    facts.mfu = use < 0 ? use : mfu.update(facts.iteration - firstStep, use);
    observer.line(stepLine(facts, options.logLastLoss));
  }
  ProgressFacts progress;
  progress.done = facts.iteration + 1;
  progress.total = lastStep();
  progress.loss = facts.meanLoss;
  progress.tokensPerSecond = tokensOfStep() / facts.seconds;
  progress.secondsLeft = timeLeft.seconds(progress.total - progress.done);
  observer.progress(progress);
}

absl::StatusOr<TrainResult> Trainer::run() {
  int64_t number = firstStep;
  for (; number < lastStep() && !stopped; ++number) {
    if (options.evalInterval > 0 && number % options.evalInterval == 0 &&
        (number > firstStep || firstStep == 0)) {
      absl::Status status = evaluate(number);
      if (status.ok() && savesAfterEvaluation(number))
        status = save(number);
      if (!status.ok())
        return status;
    }
    if (options.saveInterval > 0 && number > firstStep &&
        number % options.saveInterval == 0)
      if (absl::Status status = save(number); !status.ok())
        return status;
    if (absl::Status status = step(number); !status.ok())
      return status;
  }
  int64_t done = stopped ? number - 1 : number;
  if (!stopped && done > firstStep)
    if (absl::Status status = evaluate(done); !status.ok())
      return status;
  if (done > firstStep)
    if (absl::Status status = save(done); !status.ok())
      return status;
  metrics.reset();
  TrainResult result;
  result.steps = done;
  result.trainingLoss = trainingLoss;
  result.validationLoss = validationLoss;
  result.out = folder->path();
  result.wasInterrupted = stopped;
  if (options.plot) {
    absl::Status status =
        writeLossPlot(folder->path() + "/metrics.jsonl",
                      folder->path() + "/loss.svg", options.out);
    if (!status.ok() && !absl::IsNotFound(status))
      observer.note(absl::StrCat("no plot: ", status.message()));
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Evaluation
//===----------------------------------------------------------------------===//

/// The mean loss of `evalBatches` batches of a sampler, from number `first` on.
absl::StatusOr<double> Trainer::lossOf(const BatchSampler &batches,
                                       uint64_t first) {
  double sum = 0;
  int64_t count = std::max<int64_t>(options.evalBatches, 1);
  for (int64_t i = 0; i < count; ++i) {
    absl::Status status =
        batches.fill(static_cast<int64_t>(first) + i, absl::MakeSpan(inputs),
                     absl::MakeSpan(targets));
    if (!status.ok())
      return status;
    absl::StatusOr<float> loss = program.evaluate(inputs, targets);
    if (!loss.ok())
      return loss.status();
    sum += *loss;
  }
  return sum / static_cast<double>(count);
}

absl::StatusOr<double> Trainer::evaluationLoss() {
  if (redrawn)
    return lossOf(*redrawn, static_cast<uint64_t>(evaluations) *
                                static_cast<uint64_t>(options.evalBatches));
  double sum = 0;
  for (int64_t batch = 0; batch < evaluationSet->batches(); ++batch) {
    absl::Status status = evaluationSet->fill(batch, absl::MakeSpan(inputs),
                                              absl::MakeSpan(targets));
    if (!status.ok())
      return status;
    absl::StatusOr<float> loss = program.evaluate(inputs, targets);
    if (!loss.ok())
      return loss.status();
    sum += double(*loss) * static_cast<double>(evaluationSet->rows(batch));
  }
  return sum / static_cast<double>(evaluationSet->windows());
}

absl::Status Trainer::evaluate(int64_t number) {
  isBest = false;
  if (!redrawn && !evaluationSet)
    return absl::OkStatus();
  absl::StatusOr<double> loss = evaluationLoss();
  if (!loss.ok())
    return loss.status();
  EvaluationFacts facts;
  if (trainingSample) {
    uint64_t first = options.evalSharesStream
                         ? position
                         : static_cast<uint64_t>(evaluations) *
                               static_cast<uint64_t>(options.evalBatches);
    absl::StatusOr<double> own = lossOf(*trainingSample, first);
    if (!own.ok())
      return own.status();
    facts.trainingLoss = *own;
    // As in the reference, what was drawn here is not trained on.
    if (options.evalSharesStream)
      position += static_cast<uint64_t>(options.evalBatches);
  }
  ++evaluations;
  validationLoss = *loss;
  facts.iteration = number;
  facts.validationLoss = *loss;
  facts.learningRate = schedule->rate(number);
  facts.mfu = mfu.value();
  observer.line(evaluationLine(facts));
  if (!std::isfinite(*loss))
    return notFinite(number, *loss);
  isBest = !bestLoss || *loss < *bestLoss;
  if (isBest)
    bestLoss = *loss;
  return metrics->append(evaluationRecord(facts));
}

//===----------------------------------------------------------------------===//
// Checkpoints
//===----------------------------------------------------------------------===//

bool Trainer::savesAfterEvaluation(int64_t number) const {
  return options.saveInterval == 0 && number > firstStep &&
         (options.alwaysSave || isBest);
}

absl::Status Trainer::save(int64_t step) {
  if (step == savedStep)
    return absl::OkStatus();
  CheckpointContents contents;
  contents.state.step = step;
  contents.state.tokensTrained = tokensTrained;
  contents.state.seed = static_cast<uint64_t>(options.seed);
  contents.state.samplerPosition = position;
  contents.state.bestLoss = bestLoss;
  absl::StatusOr<nlohmann::json> told = toJson(options);
  if (!told.ok())
    return told.status();
  contents.state.options = *std::move(told);
  contents.state.counters = {{"clipped_steps", clippedSteps},
                             {"evaluations", evaluations},
                             {"mfu", mfu.value()},
                             {"batch", program.batch()},
                             {"length", program.length()}};
  contents.config = program.config();
  contents.parameters = program.parameters();
  contents.optimizer = program.optimizer();
  contents.aliases = program.aliases();
  absl::StatusOr<SaveReport> report =
      folder->save(contents, isBest && options.keepBest);
  isBest = false;
  if (!report.ok()) {
    if (options.saveFailure == SaveFailure::Stop)
      return report.status();
    observer.note(absl::StrCat("step ", step,
                               " was not saved: ", report.status().message(),
                               "; training goes on (--save-failure)"));
    return absl::OkStatus();
  }
  savedStep = step;
  if (!report->pruning.ok())
    observer.note(std::string(report->pruning.message()));
  return absl::OkStatus();
}

} // namespace t6
