//===- ExecDialect.cpp - Registration of the exec dialect -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/exec/ExecDialect.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

#include "dialects/exec/ExecDialect.cpp.inc"
#include "dialects/exec/ExecEnums.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/exec/ExecAttrs.cpp.inc"

LogicalResult
tpa::exec::CostAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                            AffineMap read, AffineMap write, AffineMap flops) {
  for (AffineMap map : {read, write, flops}) {
    // cost_attr_c1
    if (map.getNumDims() != 0 || map.getNumResults() != 1)
      return emitError() << "a cost must have symbols only and one result";
    // cost_attr_c2
    if (map.getNumSymbols() != read.getNumSymbols())
      return emitError() << "costs must be of the same scalars";
  }
  return success();
}

void tpa::exec::ExecDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "dialects/exec/ExecOps.cpp.inc"
      >();
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/exec/ExecAttrs.cpp.inc"
      >();
}
