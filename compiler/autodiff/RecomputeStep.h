//===- RecomputeStep.h - What a training step saves -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Of an entry whose calls save all that their reverse reads, one that saves
// what a policy says and computes the rest again.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_COMPILER_AUTODIFF_RECOMPUTESTEP_H
#define TPA_COMPILER_AUTODIFF_RECOMPUTESTEP_H

#include "compiler/autodiff/ForwardGraph.h"
#include "compiler/autodiff/FunctionGradient.h"
#include "dialects/exec/ExecDialect.h"

namespace tpa {

class RecomputeStep {
public:
  /// A function that was differentiated, with its calls in the entry.
  struct Function {
    FunctionGradient gradient;
    bool isAlwaysFull; ///< saves nothing, whatever the policy
    llvm::SmallVector<std::pair<mlir::func::CallOp, mlir::func::CallOp>> calls;
    std::optional<ForwardGraph> graph;

    int64_t numCalls() const { return calls.size(); }
  };
  /// What a policy chooses for each function.
  struct Choice {
    RecomputePolicy policy;
    std::vector<RecomputePlan> plans;
    int64_t outsideBytes = 0; ///< saved beside the plans'
    int64_t bytes = 0, flops = 0;
    bool isExact = true;
  };

  explicit RecomputeStep(exec::EntryOp entry) : entry(entry) {}

  /// The number of the function.
  unsigned addFunction(FunctionGradient gradient, bool isAlwaysFull);
  const FunctionGradient &gradient(unsigned function) const {
    return functions[function].gradient;
  }
  void addCall(unsigned function, mlir::func::CallOp forward,
               mlir::func::CallOp backward);

  /// Chooses; an error where a budget is less than the least that is possible.
  /// The reverse in the entry begins with `reverse`.
  mlir::FailureOr<Choice> choose(RecomputePolicy policy,
                                 mlir::Operation *reverse);
  /// Makes it so: the plans' values are gone afterwards.
  void apply(const Choice &choice);

  void remark(const Choice &choice);
  void printTable(const Choice &choice, mlir::Operation *reverse,
                  llvm::raw_ostream &os);

private:
  void buildGraphs();
  Choice choiceOf(RecomputePolicy policy, std::vector<RecomputePlan> plans,
                  mlir::Operation *reverse);
  int64_t outsideBytes(llvm::ArrayRef<RecomputePlan> plans,
                       mlir::Operation *reverse);
  std::vector<RecomputePlan> cheapestWithin(int64_t bytes, bool &isExact);
  void saveAlso(Function &function, llvm::ArrayRef<mlir::Value> values);
  void applyTo(Function &function, const RecomputePlan &plan);

  exec::EntryOp entry;
  std::vector<Function> functions;
};

} // namespace tpa

#endif // TPA_COMPILER_AUTODIFF_RECOMPUTESTEP_H
