//===- Initialiser.h - Initial values of parameters -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// From the name of an initialiser to a distribution, once sizes are known.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_COMPILER_MODEL_INITIALISER_H
#define TPA_COMPILER_MODEL_INITIALISER_H

#include "dialects/exec/ExecDialect.h"
#include "dialects/t6/T6Dialect.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Diagnostics.h"

namespace tpa {

/// The distribution that `init` is for a parameter of `type`, which a
/// checkpoint has in the shape `stored`. Where `init` is null, a vector starts
/// at one and anything else linear.
mlir::FailureOr<exec::InitAttr>
resolveInit(t6::InitAttr init, mlir::RankedTensorType type,
            llvm::ArrayRef<int64_t> stored,
            llvm::function_ref<mlir::InFlightDiagnostic()> emitError);

} // namespace tpa

#endif // TPA_COMPILER_MODEL_INITIALISER_H
