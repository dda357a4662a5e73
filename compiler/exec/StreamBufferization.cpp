//===- StreamBufferization.cpp - Bufferization of tpa.stream --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// How one-shot bufferization treats tpa.stream.
//
//===----------------------------------------------------------------------===//

#include "compiler/exec/StreamBufferization.h"
#include "dialects/tpa/TpaDialect.h"
#include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.h"
#include "mlir/Dialect/Bufferization/IR/DstBufferizableOpInterfaceImpl.h"

using namespace mlir;
using namespace tpa;

namespace {
struct StreamBufferization
    : bufferization::DstBufferizableOpInterfaceExternalModel<
          StreamBufferization, StreamOp> {
  /// An out is written from the merge's identity on.
  bool bufferizesToMemoryRead(Operation *op, OpOperand &operand,
                              const bufferization::AnalysisState &) const {
    return cast<DestinationStyleOpInterface>(op).isDpsInput(&operand);
  }

  LogicalResult bufferize(Operation *op, RewriterBase &rewriter,
                          const bufferization::BufferizationOptions &options,
                          bufferization::BufferizationState &state) const {
    auto stream = cast<StreamOp>(op);
    SmallVector<Value> inputs, outs;
    for (OpOperand &operand : op->getOpOperands()) {
      FailureOr<Value> buffer =
          bufferization::getBuffer(rewriter, operand.get(), options, state);
      if (failed(buffer))
        return failure();
      (stream.isDpsInput(&operand) ? inputs : outs).push_back(*buffer);
    }
    auto onMemory = StreamOp::create(rewriter, op->getLoc(), TypeRange(),
                                     stream.getEquation(), inputs, outs,
                                     stream.getBlock(), stream.getSplits());
    onMemory.getBody().takeBody(stream.getBody());
    bufferization::replaceOpWithBufferizedValues(rewriter, op, outs);
    return success();
  }
};
} // namespace

void tpa::registerStreamBufferization(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, TpaDialect *) {
    StreamOp::attachInterface<StreamBufferization>(*context);
  });
}
