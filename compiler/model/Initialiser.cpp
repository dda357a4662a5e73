//===- Initialiser.cpp - Initial values of parameters ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// From the name of an initialiser to a distribution, once sizes are known.
//
//===----------------------------------------------------------------------===//

#include "compiler/model/Initialiser.h"
#include "mlir/IR/Builders.h"
#include <cmath>

using namespace mlir;

namespace tpa {

FailureOr<exec::InitAttr>
resolveInit(t6::InitAttr init, RankedTensorType type, ArrayRef<int64_t> stored,
            function_ref<InFlightDiagnostic()> emitError) {
  MLIRContext *context = type.getContext();
  auto initOf = [&](exec::InitKind kind,
                    double value) -> FailureOr<exec::InitAttr> {
    exec::InitAttr resolved = exec::InitAttr::getChecked(
        emitError, context, kind, Builder(context).getF64FloatAttr(value));
    if (!resolved)
      return failure();
    return resolved;
  };
  t6::InitKind kind = init                  ? init.getKind()
                      : type.getRank() == 1 ? t6::InitKind::Ones
                                            : t6::InitKind::Linear;
  switch (kind) {
  case t6::InitKind::Linear:
    // A layer of PyTorch sees the checkpoint's shape, not heads within it.
    return initOf(exec::InitKind::Uniform,
                  1 / std::sqrt(double(stored.back())));
  case t6::InitKind::Xavier: {
    double x = type.getDimSize(0), y = type.getDimSize(1),
           c = type.getDimSize(2);
    return initOf(exec::InitKind::Uniform, std::sqrt(6 / (x * y + c * y)));
  }
  case t6::InitKind::Normal:
    return initOf(exec::InitKind::Normal, init.getStd().getValueAsDouble());
  case t6::InitKind::Zeros:
    return initOf(exec::InitKind::Constant, 0);
  case t6::InitKind::Ones:
    return initOf(exec::InitKind::Constant, 1);
  }
  llvm_unreachable("all kinds are handled");
}

} // namespace tpa
