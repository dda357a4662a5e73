//===- Equation.h - Einsum equations ----------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Einsum equations: one letter a dimension, one term an operand.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_DIALECTS_TPA_EQUATION_H
#define TPA_DIALECTS_TPA_EQUATION_H

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/TypeRange.h"
#include "mlir/Support/LLVM.h"
#include "llvm/ADT/MapVector.h"
#include <string>

namespace tpa {

/// `"bnrd,bmsd->bnmrs"` as terms and output.
struct Equation {
  /// Upper and lower case letters.
  static constexpr size_t maxLabels = 52;

  llvm::SmallVector<std::string> terms;
  std::string output;

  /// Parses and checks form: letters only, no label twice in a term or in the
  /// output, every output label in a term.
  static mlir::FailureOr<Equation>
  parse(llvm::StringRef text,
        llvm::function_ref<mlir::InFlightDiagnostic()> emitError);
  /// The same for text that a verifier has accepted.
  static Equation parseVerified(llvm::StringRef text);

  std::string str() const;
  /// All labels, in order of first occurrence.
  std::string labels() const;
  /// A letter that is not in `used`, the first one from `preferred` on; `used`
  /// has fewer than maxLabels letters.
  static char freshLabel(llvm::StringRef used, char preferred);
  /// This equation with its output under the labels `as`, and labels that are
  /// summed under letters that are not in `used`, to which they are added.
  Equation renamed(llvm::StringRef as, std::string &used) const;
};

/// Size of each label, kDynamic where no term says.
using LabelSizes = llvm::MapVector<char, int64_t>;

/// Adds the sizes that `type` gives to the labels of `term`; fails where the
/// rank differs or a label has two different static sizes.
mlir::LogicalResult
addLabelSizes(llvm::StringRef term, mlir::Type type, LabelSizes &sizes,
              llvm::function_ref<mlir::InFlightDiagnostic()> emitError);

/// f64 if an operand has it (tests compare in it), else f32.
mlir::Type accumulatorType(mlir::TypeRange operands);

/// The type of an einsum with this output over these operands.
mlir::RankedTensorType inferredType(llvm::StringRef output,
                                    const LabelSizes &sizes,
                                    mlir::TypeRange operands);

} // namespace tpa

#endif // TPA_DIALECTS_TPA_EQUATION_H
