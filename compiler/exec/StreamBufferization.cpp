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
    auto toMemory = [&](ValueRange values, SmallVector<Value> &buffers) {
      for (Value value : values) {
        FailureOr<Value> buffer =
            bufferization::getBuffer(rewriter, value, options, state);
        if (failed(buffer))
          return failure();
        buffers.push_back(*buffer);
      }
      return success();
    };
    SmallVector<Value> inputs, outs, pages;
    if (failed(toMemory(stream.getInputs(), inputs)) ||
        failed(toMemory(stream.getOuts(), outs)) ||
        (stream.getPages() && failed(toMemory(stream.getPages(), pages))))
      return failure();
    auto onMemory = StreamOp::create(
        rewriter, op->getLoc(), TypeRange(), stream.getEquation(), inputs,
        pages.empty() ? Value() : pages.front(), stream.getLength(), outs,
        stream.getBlock(), stream.getSplits(), stream.getPagedAttr());
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
