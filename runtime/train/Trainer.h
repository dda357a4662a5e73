//===- Trainer.h - A training run -------------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A training run from its corpus to its checkpoints, on any number of ranks.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_TRAIN_TRAINER_H
#define T6_RUNTIME_TRAIN_TRAINER_H

#include "runtime/checkpoint/RunFolder.h"
#include "runtime/data/BatchSampler.h"
#include "runtime/data/Corpus.h"
#include "runtime/data/EvaluationSet.h"
#include "runtime/distributed/Communicator.h"
#include "runtime/train/Metrics.h"
#include "runtime/train/ProgressBar.h"
#include "runtime/train/Schedule.h"
#include "runtime/train/TrainOptions.h"
#include "runtime/train/TrainingProgram.h"

#include <chrono>
#include <optional>

namespace t6 {

/// Is told what a run does.
class TrainObserver {
public:
  virtual ~TrainObserver() = default;
  /// A line of the log.
  virtual void line(const std::string &text) = 0;
  /// Something that the user should know.
  virtual void note(const std::string &text) = 0;
  virtual void progress(const ProgressFacts &facts) = 0;
  /// Asked before each micro-batch; true, on any rank, ends the run after a
  /// save. One rank alone drops the step it is in; several finish it.
  virtual bool interrupted() = 0;
};

struct TrainResult {
  int64_t steps = 0; ///< Updates done, those of earlier processes included.
  double trainingLoss = 0;   ///< Of the last step; NaN if none was done.
  double validationLoss = 0; ///< Of the last evaluation; NaN without one.
  std::string out;           ///< The run's folder.
  bool wasInterrupted = false;
};

/// Every rank has one, with the same options and corpus. Rank 0 alone writes to
/// the run's folder and reads a checkpoint, and all begin with what it has.
class Trainer {
public:
  /// `program`, `observer` and `ranks` must outlive the result; `tokenizer`,
  /// which may be null, need not. Reads the corpus and, to resume, a
  /// checkpoint.
  static absl::StatusOr<std::unique_ptr<Trainer>>
  create(TrainingProgram &program, const TrainOptions &options,
         const Tokenizer *tokenizer, TrainObserver &observer,
         Communicator &ranks);

  /// Trains to the end, or until the observer interrupts. A loss or a
  /// parameter that is not finite ends the run: Internal, which names the step
  /// and a tensor; the checkpoints are those before.
  absl::StatusOr<TrainResult> run();

private:
  Trainer(TrainingProgram &program, TrainOptions options,
          TrainObserver &observer, Communicator &ranks)
      : program(program), options(std::move(options)), observer(observer),
        ranks(ranks) {}

  absl::Status prepare(const Tokenizer *tokenizer);
  absl::Status openData(const Tokenizer *tokenizer);
  absl::Status openRun();
  absl::Status resume(const TrainingCheckpoint &checkpoint);
  absl::Status resumeReference();
  void openPeak();
  int64_t parameterCount() const;
  absl::Status shareStart();
  void describe();
  int64_t lastStep() const { return options.steps + options.extraStep; }
  double tokensOfStep() const { return double(shape.tokens); }
  BatchNumbering numbering() const {
    return {ranks.size(), shape.microBatches};
  }

  absl::Status step(int64_t number);
  absl::StatusOr<double> accumulate(double &last);
  absl::Status notFinite(int64_t number, double loss);
  void updateUse(StepFacts &facts);
  void report(const StepFacts &facts, bool isLogged);
  absl::Status evaluate(int64_t number);
  absl::StatusOr<double> evaluationLoss();
  absl::StatusOr<double> lossOf(const BatchSampler &batches, uint64_t first);
  absl::Status save(int64_t step);
  bool savesAfterEvaluation(int64_t number) const;
  bool isMilestone(int64_t number) const;

  TrainingProgram &program;
  TrainOptions options;
  TrainObserver &observer;
  Communicator &ranks;
  StepShape shape = {};
  std::optional<Schedule> schedule;
  std::optional<BatchSampler> sampler, redrawn, trainingSample;
  std::optional<EvaluationSet> evaluationSet;
  std::unique_ptr<RunFolder> folder; ///< This and the next: of rank 0 alone.
  std::unique_ptr<MetricsFile> metrics;
  std::vector<int32_t> inputs, targets;
  double peakFlops = 0;       ///< Of a rank; 0: not known.
  double referenceFlops = -1; ///< Of a token; below 0: not known.

  // What a checkpoint holds.
  int64_t firstStep = 0; ///< Of this process.
  uint64_t position = 0; ///< Micro-batches drawn by all ranks.
  int64_t tokensTrained = 0, clippedSteps = 0, evaluations = 0;
  std::optional<double> bestLoss;
  MfuAverage mfu, referenceMfu;

  double trainingLoss = 0, validationLoss = 0;
  bool isBest = false;
  int64_t savedStep = -1;
  TimeLeft timeLeft;
  bool stopped = false;   ///< In a step, which is not done.
  bool stopsNext = false; ///< After the step.
};

} // namespace t6

#endif // T6_RUNTIME_TRAIN_TRAINER_H
