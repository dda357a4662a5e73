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

/// The mean loss over the step's micro-batches of all ranks, and this rank's
/// last. Leaves `stopped` where the observer interrupts a rank that is alone:
/// then there is no step. Ranks of several all do all of their micro-batches,
/// whatever happens, for they wait for each other.
absl::StatusOr<double> Trainer::accumulate(double &last) {
  bool isAlone = ranks.size() == 1, wasInterrupted = false;
  double sum = 0;
  for (int64_t micro = 0; micro < shape.microBatches; ++micro) {
    wasInterrupted |= observer.interrupted();
    if (isAlone && wasInterrupted) {
      stopped = true;
      return sum;
    }
    absl::Status status = ranks.check();
    if (!status.ok())
      return status;
    status = sampler->fill(
        numbering().number(static_cast<int64_t>(position), micro, ranks.rank()),
        absl::MakeSpan(inputs), absl::MakeSpan(targets));
    if (!status.ok())
      return status;
    absl::StatusOr<float> loss =
        micro + 1 < shape.microBatches
            ? program.accumulate(inputs, targets)
            : program.accumulateAndSum(inputs, targets, ranks);
    if (!loss.ok())
      return loss.status();
    last = *loss;
    sum += last;
    if (isAlone && !std::isfinite(last))
      return last;
  }
  double all[] = {sum, wasInterrupted ? 1.0 : 0.0};
  absl::Status status = ranks.sum(absl::MakeSpan(all));
  if (!status.ok())
    return status;
  stopsNext = all[1] > 0;
  return all[0] / static_cast<double>(numbering().perStep());
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
                                        " is in ", options.out);
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
  update.gradientScale =
      1 / static_cast<double>(isMean ? numbering().perStep() : ranks.size());
  update.maxNorm = options.clip;
  update.number = number + 1;
  absl::StatusOr<StepNorms> norms = program.apply(update);
  if (!norms.ok())
    return norms.status();
  if (!std::isfinite(norms->gradient) || !std::isfinite(norms->parameter))
    return notFinite(number, *loss);
  position += static_cast<uint64_t>(numbering().perStep());
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
  bool isLogged = number % options.logInterval == 0 || number + 1 == lastStep();
  if (isLogged)
    updateUse(facts);
  report(facts, isLogged);
  if (!metrics || !isLogged)
    return absl::OkStatus();
  return metrics->append(stepRecord(facts, options.logLastLoss));
}

/// Fills in the averages of a step that is logged.
void Trainer::updateUse(StepFacts &facts) {
  int64_t local = facts.iteration - firstStep;
  double flopsPerToken =
      static_cast<double>(program.flops()) /
      static_cast<double>(program.batch() * program.length());
  double all = static_cast<double>(ranks.size());
  facts.mfu = mfu.update(local, modelFlopsUse(flopsPerToken, tokensOfStep(),
                                              facts.seconds, peakFlops * all));
  // The reference's own reckoning: of one rank's micro-batches, on an A100.
  if (referenceFlops > 0)
    facts.referenceMfu = referenceMfu.update(
        local, modelFlopsUse(referenceFlops, tokensOfStep() / all,
                             facts.seconds, kReferencePeakFlops));
}

/// Tells the observer.
void Trainer::report(const StepFacts &facts, bool isLogged) {
  timeLeft.add(facts.seconds);
  if (isLogged)
    observer.line(stepLine(facts, options.logLastLoss));
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
  for (; number < lastStep() && !stopped && !stopsNext; ++number) {
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
  bool wasInterrupted = stopped || (stopsNext && done < lastStep());
  if (!wasInterrupted && done > firstStep)
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
  result.out = options.out;
  result.wasInterrupted = wasInterrupted;
  if (folder && options.plot) {
    absl::Status status =
        writeLossPlot(folder->path() + "/metrics.jsonl",
                      folder->path() + "/loss.svg", options.out);
    if (!status.ok() && !absl::IsNotFound(status))
      observer.note(absl::StrCat("no plot: ", status.message()));
  }
  if (absl::Status status = ranks.barrier(); !status.ok())
    return status;
  return result;
}

//===----------------------------------------------------------------------===//
// Evaluation
//===----------------------------------------------------------------------===//

/// The mean loss of `evalBatches` batches of a sampler, from number `first` on,
/// each on one of the ranks.
absl::StatusOr<double> Trainer::lossOf(const BatchSampler &batches,
                                       uint64_t first) {
  double sum = 0;
  int64_t count = std::max<int64_t>(options.evalBatches, 1);
  for (int64_t i = ranks.rank(); i < count; i += ranks.size()) {
    absl::Status status = ranks.check();
    if (!status.ok())
      return status;
    status = batches.fill(static_cast<int64_t>(first) + i,
                          absl::MakeSpan(inputs), absl::MakeSpan(targets));
    if (!status.ok())
      return status;
    absl::StatusOr<float> loss = program.evaluate(inputs, targets);
    if (!loss.ok())
      return loss.status();
    sum += *loss;
  }
  if (absl::Status status = ranks.sum(absl::MakeSpan(&sum, 1)); !status.ok())
    return status;
  return sum / static_cast<double>(count);
}

absl::StatusOr<double> Trainer::evaluationLoss() {
  if (redrawn)
    return lossOf(*redrawn, static_cast<uint64_t>(evaluations) *
                                static_cast<uint64_t>(options.evalBatches));
  double sum = 0;
  for (int64_t batch = ranks.rank(); batch < evaluationSet->batches();
       batch += ranks.size()) {
    absl::Status status = ranks.check();
    if (!status.ok())
      return status;
    status = evaluationSet->fill(batch, absl::MakeSpan(inputs),
                                 absl::MakeSpan(targets));
    if (!status.ok())
      return status;
    absl::StatusOr<float> loss = program.evaluate(inputs, targets);
    if (!loss.ok())
      return loss.status();
    sum += double(*loss) * static_cast<double>(evaluationSet->rows(batch));
  }
  if (absl::Status status = ranks.sum(absl::MakeSpan(&sum, 1)); !status.ok())
    return status;
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
  if (!metrics)
    return absl::OkStatus();
  return metrics->append(evaluationRecord(facts));
}

//===----------------------------------------------------------------------===//
// Checkpoints
//===----------------------------------------------------------------------===//

bool Trainer::savesAfterEvaluation(int64_t number) const {
  return isMilestone(number) ||
         (options.saveInterval == 0 && number > firstStep &&
          (options.alwaysSave || isBest));
}

/// Step 0 is one, as in the reference.
bool Trainer::isMilestone(int64_t number) const {
  int64_t interval;
  return options.milestones > 0 && options.evalInterval > 0 &&
         !__builtin_mul_overflow(options.milestones, options.evalInterval,
                                 &interval) &&
         number % interval == 0;
}

absl::Status Trainer::save(int64_t step) {
  if (step == savedStep)
    return absl::OkStatus();
  if (!folder) {
    savedStep = step;
    isBest = false;
    return absl::OkStatus();
  }
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
                             {"length", program.length()},
                             {"step_tokens", shape.tokens}};
  contents.config = program.config();
  contents.description = program.description();
  contents.parameters = program.parameters();
  contents.optimizer = program.optimizer();
  contents.aliases = program.aliases();
  absl::StatusOr<SaveReport> report =
      folder->save(contents, {isBest && options.keepBest, isMilestone(step)});
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
