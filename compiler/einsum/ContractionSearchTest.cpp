//===- ContractionSearchTest.cpp - The cheapest contraction order ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The search against all orders, written out; the rates by which both decide.
//
//===----------------------------------------------------------------------===//

#include "compiler/einsum/ContractionSearch.h"
#include <cmath>
#include <gtest/gtest.h>
#include <random>

namespace {

using namespace tpa;

constexpr double infinity = std::numeric_limits<double>::infinity();

CostModel vectorUnit() { return {"vector", 1e9, 1e9, 0, {1, 1, 1}, 1e8, 2e9}; }

CostModel tensorCore() {
  return {"tensor", 1e9, 1e9, 2e10, {16, 8, 16}, 1e8, 2e9};
}

/// What is left to contract: the operands in it and its labels.
struct Item {
  uint32_t set;
  std::string labels;
};

/// Every sequence of pairwise contractions, with costs from the definition.
class AllOrders {
public:
  AllOrders(const Equation &equation, const LabelSizes &sizes,
            const CostModel &target, const ContractionSetting &setting)
      : equation(equation), sizes(sizes), target(target), setting(setting) {
    std::vector<Item> items;
    for (auto [i, term] : llvm::enumerate(equation.terms))
      items.push_back({1u << i, term});
    contract(items, 0, 0);
  }

  std::array<double, 4> best = {infinity, infinity, infinity, infinity};
  int64_t orders = 0;

private:
  bool has(uint32_t set, char label) const {
    for (auto [i, term] : llvm::enumerate(equation.terms))
      if ((set >> i & 1) && llvm::is_contained(term, label))
        return true;
    return false;
  }
  bool hasAll(uint32_t set, char label) const {
    for (auto [i, term] : llvm::enumerate(equation.terms))
      if (!(set >> i & 1) && llvm::is_contained(term, label))
        return false;
    return true;
  }
  double elements(llvm::StringRef labels) const {
    double product = 1;
    for (char label : labels)
      product *= sizes.lookup(label);
    return product;
  }

  void contract(const std::vector<Item> &items, double time, unsigned form) {
    if (items.size() == 1) {
      ++orders;
      best[form] = std::min(best[form], time);
      return;
    }
    for (size_t i = 0; i < items.size(); ++i)
      for (size_t k = i + 1; k < items.size(); ++k) {
        std::vector<Item> rest;
        std::string needed = equation.output;
        for (size_t j = 0; j < items.size(); ++j)
          if (j != i && j != k) {
            rest.push_back(items[j]);
            needed += items[j].labels;
          }
        Item pair = {items[i].set | items[k].set, ""};
        for (char label : items[i].labels + items[k].labels)
          if (llvm::is_contained(needed, label) &&
              !llvm::is_contained(pair.labels, label))
            pair.labels += label;
        unsigned stepForm = 0;
        double step = stepTime(items[i], items[k], pair, stepForm);
        rest.push_back(pair);
        contract(rest, time + step, std::max(form, stepForm));
      }
  }

  double stepTime(const Item &a, const Item &b, const Item &result,
                  unsigned &form) const {
    CostModel::Product product;
    for (char label : sizedLabels(a.labels + b.labels)) {
      bool left = llvm::is_contained(a.labels, label),
           right = llvm::is_contained(b.labels, label);
      double size = sizes.lookup(label);
      if (!(left && right))
        (left ? product.rows : product.columns) *= size;
      else if (llvm::is_contained(result.labels, label))
        product.batch *= size;
      else
        product.depth *= size;
    }
    double time = target.productTime(product),
           bytes = 8 * elements(result.labels);
    char m = setting.stream;
    if (!m)
      return time + bytes / target.memoryBytes;
    bool isBefore = !has(result.set, m),
         isAfter = !llvm::is_contained(equation.output, m) &&
                   (hasAll(a.set, m) || hasAll(b.set, m));
    if (isBefore || isAfter) {
      form = isBefore ? 1 : 2;
      return (time + bytes / target.memoryBytes) / setting.blocks;
    }
    form = has(result.set, setting.query) ? 0 : 3;
    for (const Item &item : {a, b})
      if (llvm::has_single_bit(item.set) && !has(item.set, m) &&
          !has(item.set, setting.query))
        time += 4 * elements(item.labels) / target.memoryBytes;
    return time + bytes / target.cacheBytes;
  }

  static std::string sizedLabels(const std::string &labels) {
    std::string unique;
    for (char label : labels)
      if (!llvm::is_contained(unique, label))
        unique += label;
    return unique;
  }

  const Equation &equation;
  const LabelSizes &sizes;
  const CostModel &target;
  const ContractionSetting &setting;
};

/// Up to six operands over eight labels of sizes up to 40.
struct RandomEinsum {
  explicit RandomEinsum(std::mt19937 &random) {
    const std::string pool = "abcdemnh";
    auto below = [&](unsigned end) { return unsigned(random() % end); };
    for (char label : pool)
      sizes[label] = 1 + below(40);
    unsigned count = 2 + below(5);
    std::string all;
    for (unsigned i = 0; i < count; ++i) {
      std::string term;
      for (char label : pool)
        if (below(3) == 0)
          term += label;
      if (term.empty())
        term = pool[below(pool.size())];
      equation.terms.push_back(term);
      all += term;
    }
    for (char label : pool)
      if (llvm::is_contained(all, label) && below(3) == 0)
        equation.output += label;
  }
  Equation equation;
  LabelSizes sizes;
};

TEST(ContractionSearch, FindsTheBestOfAllOrdersOfEachForm) {
  std::mt19937 random(20);
  int64_t orders = 0, formsMet[4] = {};
  for (int i = 0; i < 300; ++i) {
    RandomEinsum einsum(random);
    for (const CostModel &target : {vectorUnit(), tensorCore()})
      for (char stream : {'\0', 'm'}) {
        ContractionSetting setting;
        setting.stream = stream;
        AllOrders all(einsum.equation, einsum.sizes, target, setting);
        ContractionSearch search(einsum.equation, einsum.sizes, target,
                                 setting);
        SCOPED_TRACE(einsum.equation.str() + " over " + stream);
        orders += all.orders;
        double least = infinity;
        for (unsigned form = 0; form < 4; ++form) {
          auto figures = search.figures(ContractionForm(form));
          ASSERT_EQ(figures.has_value(), all.best[form] < infinity) << form;
          if (!figures)
            continue;
          ++formsMet[form];
          EXPECT_NEAR(figures->time / all.best[form], 1, 1e-9) << form;
          least = std::min(least, all.best[form]);
        }
        EXPECT_NEAR(search.figures().time / least, 1, 1e-9);
      }
  }
  EXPECT_GT(orders, 100000);
  for (int64_t met : formsMet)
    EXPECT_GT(met, 50);
}

/// The tree that is emitted is the one whose figures are stated.
TEST(ContractionSearch, PlansAddUpToTheFigures) {
  std::mt19937 random(21);
  CostModel target = vectorUnit();
  for (int i = 0; i < 300; ++i) {
    RandomEinsum einsum(random);
    ContractionSearch search(einsum.equation, einsum.sizes, target, {});
    double flops = 0;
    std::vector<uint32_t> sets = {search.fullSet()};
    while (!sets.empty()) {
      uint32_t set = sets.back();
      sets.pop_back();
      if (llvm::has_single_bit(set))
        continue;
      auto plan = search.plan(set);
      EXPECT_EQ(plan.left | plan.right, set);
      std::string labels = search.resultLabels(plan.left);
      for (char label : search.resultLabels(plan.right))
        if (!llvm::is_contained(labels, label))
          labels += label;
      double product = 2;
      for (char label : labels)
        product *= einsum.sizes.lookup(label);
      flops += product;
      sets.insert(sets.end(), {plan.left, plan.right});
    }
    EXPECT_EQ(flops, search.figures().flops) << einsum.equation.str();
  }
}

TEST(ContractionSearch, SplitsOffWhatIsAppliedToTheSum) {
  Equation equation = Equation::parseVerified("heo,bhnm,bmo->bnhe");
  LabelSizes sizes;
  for (auto [label, size] :
       {std::pair('b', 1), std::pair('h', 12), std::pair('n', 1),
        std::pair('m', 32), std::pair('e', 64), std::pair('o', 256)})
    sizes[label] = size;
  ContractionSetting setting;
  setting.stream = 'm';
  ContractionSearch search(equation, sizes, vectorUnit(), setting);
  EXPECT_EQ(search.form(), ContractionForm::Deferred);
  EXPECT_EQ(search.streamedSet(), 0b110u);
  EXPECT_EQ(search.figures().flops, 2 * 12 * 256 * 32);
  EXPECT_EQ(search.figures().flopsOnce, 2 * 12 * 256 * 64);
}

TEST(CostModel, PadsProductsToTheTile) {
  // 16 x 8 x 16 fits as it is; one more of each takes another tile of each.
  EXPECT_DOUBLE_EQ(tensorCore().productTime({1, 16, 8, 16}),
                   2 * 16 * 8 * 16 / 2e10);
  EXPECT_DOUBLE_EQ(tensorCore().productTime({3, 17, 17, 17}),
                   3 * 2 * 32 * 24 * 32 / 2e10);
  // Either side may be the rows: 8 x 16 is not padded to 16 x 16.
  EXPECT_DOUBLE_EQ(tensorCore().productTime({1, 8, 16, 16}),
                   2 * 16 * 8 * 16 / 2e10);
}

TEST(CostModel, LeavesThinProductsToTheVectorUnit) {
  // A row by a column of 4: padded, 1024 times the work at 20 times the rate.
  EXPECT_DOUBLE_EQ(tensorCore().productTime({1, 1, 1, 4}), 8 / 1e9);
  EXPECT_DOUBLE_EQ(vectorUnit().productTime({1, 16, 8, 16}),
                   2 * 16 * 8 * 16 / 1e9);
}

} // namespace
