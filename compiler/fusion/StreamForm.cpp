//===- StreamForm.cpp - Contractions in a stream --------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/fusion/StreamForm.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Remarks.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

namespace tpa {

static constexpr char keyLabel = AttentionOp::streamLabel, queryLabel = 'n';

ContractionSearch searchStream(EinsumOp op, const Equation &equation,
                               LabelSizes sizes, const StreamShape &shape) {
  sizes[keyLabel] = shape.block;
  if (!shape.hasFew(sizes[queryLabel]))
    sizes[queryLabel] = shape.queryBlock;
  ContractionSetting setting;
  setting.stream = keyLabel;
  setting.query = queryLabel;
  for (auto [term, operand] : llvm::zip_equal(equation.terms, op.getOperands()))
    if (!StringRef(term).contains(keyLabel) &&
        !StringRef(term).contains(queryLabel))
      setting.bytesPerParameter =
          cast<RankedTensorType>(operand.getType()).getElementTypeBitWidth() /
          8.0;
  return ContractionSearch(equation, sizes, shape.target, setting);
}

/// Whole numbers as they are.
static std::string number(double value) {
  return value == std::floor(value) ? llvm::formatv("{0:F0}", value).str()
                                    : llvm::formatv("{0:F1}", value).str();
}

/// "2852 FLOP (1536 + 1128 + 188), 1304 B, 20.4 ns" for each key.
static std::string describe(const ContractionFigures &figures, double keys) {
  std::string text = number(figures.flops / keys) + " FLOP";
  if (figures.steps.size() > 1) {
    SmallVector<std::string> steps;
    for (double step : figures.steps)
      steps.push_back(number(step / keys));
    text += " (" + llvm::join(steps, " + ") + ")";
  }
  if (figures.flopsOnce > 0)
    text += " and " + number(figures.flopsOnce) + " once";
  text += ", " + number((figures.bytes + figures.parameterBytes) / keys) + " B";
  return text + llvm::formatv(", {0:F2} ns", figures.time / keys * 1e9).str();
}

void remarkOnForm(EinsumOp op, const Equation &equation,
                  const LabelSizes &sizes, const ContractionSearch &search,
                  const StreamShape &shape) {
  int64_t queries = sizes.lookup(queryLabel);
  if (!shape.hasFew(queries))
    queries = shape.queryBlock;
  remark::detail::InFlightRemark remark = remark::analysis(
      op.getLoc(),
      remark::RemarkOpts::name("contraction-form").category("tpa"));
  remark << remark::metric("equation", equation.str())
         << remark::metric("target", shape.target.name)
         << remark::metric("queries", queries)
         << remark::metric("form", stringify(search.form()));
  for (unsigned i = 0; i < ContractionSearch::formCount; ++i) {
    auto form = ContractionForm(i);
    if (auto figures = search.figures(form))
      remark << remark::metric(stringify(form),
                               describe(*figures, shape.block));
  }
}

EinsumOp deferFactors(EinsumOp root, const StreamShape &shape) {
  Equation whole = Equation::parseVerified(root.getEquation());
  LabelSizes sizes;
  for (auto [term, operand] : llvm::zip_equal(whole.terms, root.getOperands()))
    if (failed(addLabelSizes(term, operand.getType(), sizes,
                             [&] { return root.emitOpError(); })))
      return root;
  ContractionSearch search = searchStream(root, whole, sizes, shape);
  uint32_t streamed = search.streamedSet();
  if (streamed == search.fullSet())
    return root;
  remarkOnForm(root, whole, sizes, search, shape);

  Equation sum, after;
  SmallVector<Value> summed, deferred;
  std::string needed = whole.output;
  for (auto [i, term] : llvm::enumerate(whole.terms)) {
    bool isSummed = streamed >> i & 1;
    (isSummed ? sum : after).terms.push_back(term);
    (isSummed ? summed : deferred).push_back(root.getOperands()[i]);
    if (!isSummed)
      needed += term;
  }
  std::string labels = sum.labels();
  // In the order of the result, then what the factors sum over, but the label
  // that the result has contiguous stays so.
  for (char label : needed)
    if (StringRef(labels).contains(label) &&
        !StringRef(sum.output).contains(label))
      sum.output += label;
  size_t last = sum.output.find(whole.output.back());
  if (last != std::string::npos)
    std::rotate(sum.output.begin() + last, sum.output.begin() + last + 1,
                sum.output.end());
  after.terms.insert(after.terms.begin(), sum.output);
  after.output = whole.output;

  OpBuilder b(root);
  auto inner =
      EinsumOp::create(b, root.getLoc(), sum.str(), summed, APFloat(1.0));
  deferred.insert(deferred.begin(), inner);
  Value outer = EinsumOp::create(b, root.getLoc(), after.str(), deferred,
                                 root.getScale());
  root.replaceAllUsesWith(outer);
  root.erase();
  return inner;
}

} // namespace tpa
