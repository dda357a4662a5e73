//===- RecomputeTable.cpp - What is saved, for people ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Says what a training step saves and computes again: as remarks, and as a
// table with the other policies beside.
//
//===----------------------------------------------------------------------===//

#include "compiler/autodiff/ForwardCost.h"
#include "compiler/autodiff/RecomputeStep.h"
#include "dialects/tpa/TpaDialect.h"
#include "mlir/IR/Remarks.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Path.h"

using namespace mlir;

namespace tpa {

/// "tpa.einsum bnc,oc->bno", "t6.swiglu".
static std::string nameOf(Operation *op) {
  std::string name = op->getName().getStringRef().str();
  if (auto einsum = dyn_cast<EinsumOp>(op))
    name += (" " + einsum.getEquation()).str();
  if (auto map = dyn_cast<MapOp>(op))
    name += (" " + map.getEquation()).str();
  return name;
}

static std::string shapeOf(Value value) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  auto type = cast<RankedTensorType>(value.getType());
  llvm::interleave(type.getShape(), stream, "x");
  stream << 'x' << type.getElementType();
  return text;
}

/// "tpa.mlir:13", where the definition is known.
static std::string placeOf(Location loc) {
  auto place = loc->findInstanceOf<FileLineColLoc>();
  if (!place)
    return "";
  return (llvm::sys::path::filename(place.getFilename().getValue()) + ":" +
          Twine(place.getLine()))
      .str();
}

static std::string number(int64_t value) {
  return llvm::formatv("{0:N0}", value).str();
}

/// Operations in the order of the forward pass whose results are saved, or
/// computed again at a cost or for the reverse.
static SmallVector<Operation *> listed(func::FuncOp forward,
                                       const ForwardGraph &graph,
                                       const RecomputePlan &plan) {
  SmallVector<Operation *> ops;
  for (Operation &op : forward.front().without_terminator())
    if (op.getNumResults() > 0 &&
        (plan.saved.contains(op.getResult(0)) ||
         graph.isRead(op.getResult(0)) ||
         (plan.recomputed.contains(&op) && flopsOf(&op) > 0)))
      ops.push_back(&op);
  return ops;
}

void RecomputeStep::remark(const Choice &choice) {
  auto options = remark::RemarkOpts::name("recompute").category("tpa");
  for (auto [function, plan] : llvm::zip_equal(functions, choice.plans)) {
    auto kind =
        function.isAlwaysFull ? RecomputePolicy::Full : choice.policy.kind;
    func::FuncOp forward = function.gradient.forward;
    for (Operation *op : listed(forward, *function.graph, plan)) {
      Value value = op->getResult(0);
      bool isSaved = plan.saved.contains(value);
      remark::analysis(op->getLoc(), options)
          << remark::metric(isSaved ? "saved" : "again", nameOf(op))
          << remark::metric("type", shapeOf(value))
          << remark::metric("bytes", isSaved ? bytesOf(value) : 0)
          << remark::metric("flops", isSaved ? 0 : flopsOf(op))
          << remark::metric("calls", function.numCalls())
          << remark::reason("{0}", ForwardGraph::reason(kind, value, isSaved));
    }
  }
  remark::analysis(entry.getLoc(), options)
      << remark::metric("policy", choice.policy.str())
      << remark::metric("bytesSaved", choice.bytes)
      << remark::metric("flopsAgain", choice.flops);
  if (!choice.isExact)
    remark::missed(entry.getLoc(), options)
        << remark::reason("there are too many choices to try all");
}

namespace {

/// Columns as wide as their widest cell, numbers to the right.
class Columns {
public:
  explicit Columns(std::vector<bool> isNumber)
      : isNumber(std::move(isNumber)) {}
  void add(std::vector<std::string> row) { rows.push_back(std::move(row)); }
  void print(llvm::raw_ostream &os) const {
    std::vector<size_t> widths(isNumber.size());
    for (const auto &row : rows)
      for (auto [cell, width] : llvm::zip_equal(row, widths))
        width = std::max(width, cell.size());
    for (const auto &row : rows) {
      std::string line;
      for (auto [i, cell] : llvm::enumerate(row)) {
        std::string space(widths[i] - cell.size(), ' ');
        line += (i ? "  " : "") + (isNumber[i] ? space + cell : cell + space);
      }
      os << StringRef(line).rtrim() << "\n";
    }
  }

private:
  std::vector<bool> isNumber;
  std::vector<std::vector<std::string>> rows;
};

} // namespace

void RecomputeStep::printTable(const Choice &choice, Operation *reverse,
                               llvm::raw_ostream &os) {
  os << "What the reverse of " << entry.getSymName()
     << " reads, with --recompute=" << choice.policy.str() << "\n";
  for (auto [function, plan] : llvm::zip_equal(functions, choice.plans)) {
    int64_t calls = function.numCalls();
    auto kind =
        function.isAlwaysFull ? RecomputePolicy::Full : choice.policy.kind;
    func::FuncOp forward = function.gradient.forward;
    os << "\n"
       << forward.getName() << ", called "
       << (calls == 1 ? "once" : number(calls) + " times") << "\n";
    Columns table({false, false, false, false, true, true, true, true, false});
    table.add({"", "value", "type", "from", "bytes a call", "in all",
               "FLOP a call", "in all", "why"});
    for (Operation *op : listed(forward, *function.graph, plan)) {
      Value value = op->getResult(0);
      bool isSaved = plan.saved.contains(value);
      int64_t bytes = isSaved ? bytesOf(value) : 0;
      int64_t flops = isSaved ? 0 : flopsOf(op);
      table.add({isSaved ? "saved" : "again", nameOf(op), shapeOf(value),
                 placeOf(op->getLoc()), number(bytes), number(bytes * calls),
                 number(flops), number(flops * calls),
                 ForwardGraph::reason(kind, value, isSaved)});
    }
    table.add({"", "sum", "", "", number(plan.bytes),
               number(plan.bytes * calls), number(plan.flops),
               number(plan.flops * calls), ""});
    table.print(os);
  }
  os << "\nSaved beside, of arguments and outside of functions: "
     << number(choice.outsideBytes)
     << " bytes. Scores are computed again whatever the policy, which is not "
        "counted.\n\n";
  Columns policies({false, true, true});
  policies.add({"policy", "bytes saved in all", "FLOP again in all"});
  for (auto kind : {RecomputePolicy::None, RecomputePolicy::Dots,
                    RecomputePolicy::Factors, RecomputePolicy::Full}) {
    FailureOr<Choice> other = choose({kind}, reverse);
    policies.add({RecomputePolicy{kind}.str(), number(other->bytes),
                  number(other->flops)});
  }
  if (choice.policy.kind == RecomputePolicy::Budget)
    policies.add(
        {choice.policy.str(), number(choice.bytes), number(choice.flops)});
  policies.print(os);
  os << "\n";
}

} // namespace tpa
