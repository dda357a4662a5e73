//===- QuantizeParams.cpp - Parameters as 8-bit integers ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Which parameters of a model become 8-bit integers with a scale per output
// channel, and why others do not.
//
//===----------------------------------------------------------------------===//

#include "compiler/model/EntryBuilder.h"
#include "dialects/tpa/Equation.h"
#include "mlir/IR/Remarks.h"

using namespace mlir;

namespace tpa {

/// Dimensions that count output channels: those that the checkpoint has as the
/// first of two. Zero where it has them otherwise.
static int64_t channelRank(RankedTensorType type, ArrayRef<int64_t> stored) {
  if (stored.size() != 2)
    return 0;
  int64_t channels = 1;
  for (int64_t i = 0; i + 1 < type.getRank(); ++i) {
    channels *= type.getDimSize(i);
    if (channels == stored[0])
      return i + 1;
  }
  return 0;
}

/// Why `use` cannot read integers; empty if it can.
static StringRef obstacle(OpOperand &use, int64_t channels) {
  Operation *user = use.getOwner();
  if (isa<FactorizeOp, t6::LinearOp>(user))
    return use.getOperandNumber() == 0 ? "it is not the matrix of a projection"
                                       : "";
  auto einsum = dyn_cast<EinsumOp>(user);
  if (!einsum)
    return "something other than a contraction reads it";
  Equation equation = Equation::parseVerified(einsum.getEquation());
  StringRef term = equation.terms[use.getOperandNumber()];
  for (char label : term.take_front(channels))
    if (!llvm::is_contained(equation.output, label))
      return "a contraction sums over its output channels";
  return "";
}

std::optional<EntryBuilder::Param> EntryBuilder::quantize(Param &param,
                                                          t6::ParamOp source) {
  auto options = remark::RemarkOpts::name("quantize").category("tpa");
  Location place = source ? source.getLoc() : loc;
  int64_t channels = channelRank(param.type, param.stored);
  StringRef why;
  if (param.type.getRank() < 2)
    why = "it is a vector";
  else if (channels == 0)
    why = "the checkpoint does not store it as output channels by inputs";
  if (source)
    for (OpOperand &use : source->getUses())
      if (why.empty())
        why = obstacle(use, channels);
  if (!why.empty()) {
    remark::missed(place, options) << remark::metric("parameter", param.name)
                                   << remark::reason("{0}", why);
    return std::nullopt;
  }
  RankedTensorType before = param.type;
  MLIRContext *context = before.getContext();
  param.type = before.clone(IntegerType::get(context, 8));
  Param scales{scaleName(param.name),
               RankedTensorType::get(before.getShape().take_front(channels),
                                     Float32Type::get(context)),
               {},
               {},
               param.name};
  int64_t bytes = before.getElementTypeBitWidth() / 8;
  remark::passed(place, options)
      << remark::metric("parameter", param.name)
      << remark::metric("bytesSaved", before.getNumElements() * (bytes - 1) -
                                          scales.type.getNumElements() * 4);
  return scales;
}

void EntryBuilder::quantizeParams() {
  llvm::StringMap<t6::ParamOp> sources;
  for (auto op : attention.getOps<t6::ParamOp>())
    sources[op.getName()] = op;
  SmallVector<Param> all;
  for (Param &param : params) {
    std::optional<Param> scales = quantize(param, sources.lookup(param.name));
    all.push_back(param);
    if (scales)
      all.push_back(*scales);
  }
  params = all;
}

Value EntryBuilder::loadMatrix(OpBuilder &builder, StringRef name) {
  Value matrix = load(builder, name);
  if (!bufferTypes.contains(scaleName(name)))
    return matrix;
  return t6::DequantizeOp::create(builder, loc, matrix,
                                  load(builder, scaleName(name)));
}

} // namespace tpa
