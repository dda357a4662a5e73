//===- SeparateResults.cpp - Memory of a result's own ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Gives results memory of their own where equal operations became one.
//
//===----------------------------------------------------------------------===//

#include "compiler/exec/SeparateResults.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;

void tpa::separateResults(DestinationStyleOpInterface op) {
  OpBuilder builder(op);
  for (OpOperand &init : op.getDpsInitsMutable()) {
    auto fill = init.get().getDefiningOp<linalg::FillOp>();
    Value memory = fill ? fill.getDpsInits()[0] : init.get();
    auto empty = memory.getDefiningOp<tensor::EmptyOp>();
    if (!empty || (memory.hasOneUse() && (!fill || fill->hasOneUse())))
      continue;
    IRMapping map;
    map.map(memory, builder.clone(*empty)->getResult(0));
    init.set(fill ? builder.clone(*fill, map)->getResult(0)
                  : map.lookup(memory));
    // A fill that nothing reads would still fill memory.
    if (fill && fill->use_empty())
      fill->erase();
  }
}
