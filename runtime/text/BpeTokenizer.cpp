//===- BpeTokenizer.cpp - Byte-level byte-pair encoding -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/text/BpeTokenizer.h"

#include "runtime/text/Pretokenizer.h"

#include <algorithm>

namespace t6 {
namespace {

/// Merges one piece: a doubly linked list of symbols, and a heap of the merges
/// that are possible between neighbours. n bytes take O(n log n) time and O(n)
/// memory, since each of the at most n - 1 merges adds at most two candidates.
/// The memory is kept from piece to piece.
class PieceMerger {
public:
  PieceMerger(const std::array<int32_t, 256> &byteIds, const BpeMerges &merges)
      : byteIds(byteIds), merges(merges) {}

  void encode(absl::string_view piece, std::vector<int32_t> &ids) {
    if (piece.size() == 1) {
      ids.push_back(byteIds[uint8_t(piece[0])]);
      return;
    }
    start(piece);
    while (!heap.empty()) {
      Candidate best = heap.front();
      std::pop_heap(heap.begin(), heap.end(), later);
      heap.pop_back();
      // A pair whose left or right symbol has changed since is out of date: the
      // rank names the pair, and a symbol never returns to an earlier value.
      if (symbols[best.left].pairRank == best.rank)
        apply(best.left);
    }
    for (uint32_t i = 0; i != kNone; i = symbols[i].next)
      ids.push_back(symbols[i].id);
  }

private:
  static constexpr uint32_t kNone = UINT32_MAX;

  struct Symbol {
    int32_t id;
    int32_t pairRank; ///< Of the pair that begins here, or -1.
    uint32_t previous;
    uint32_t next;
  };

  struct Candidate {
    int32_t rank;
    uint32_t left;
  };

  static bool later(const Candidate &a, const Candidate &b) {
    return a.rank != b.rank ? a.rank > b.rank : a.left > b.left;
  }

  void start(absl::string_view piece) {
    uint32_t size = uint32_t(piece.size());
    symbols.resize(size);
    for (uint32_t i = 0; i < size; ++i)
      symbols[i] = {byteIds[uint8_t(piece[i])], -1, i == 0 ? kNone : i - 1,
                    i + 1 == size ? kNone : i + 1};
    for (uint32_t i = 0; i + 1 < size; ++i)
      if (findPair(i))
        heap.push_back({symbols[i].pairRank, i});
    std::make_heap(heap.begin(), heap.end(), later);
  }

  /// Sets the rank of the pair that begins at `left`; whether there is one.
  bool findPair(uint32_t left) {
    Symbol &symbol = symbols[left];
    const BpeMerges::Merge *merge =
        symbol.next == kNone ? nullptr
                             : merges.find(symbol.id, symbols[symbol.next].id);
    symbol.pairRank = merge ? merge->rank : -1;
    return merge != nullptr;
  }

  void pushPair(uint32_t left) {
    if (!findPair(left))
      return;
    heap.push_back({symbols[left].pairRank, left});
    std::push_heap(heap.begin(), heap.end(), later);
  }

  void apply(uint32_t left) {
    Symbol &symbol = symbols[left];
    Symbol &right = symbols[symbol.next];
    symbol.id = merges.find(symbol.id, right.id)->result;
    right.pairRank = -1;
    symbol.next = right.next;
    if (symbol.next != kNone)
      symbols[symbol.next].previous = left;
    pushPair(left);
    if (symbol.previous != kNone)
      pushPair(symbol.previous);
  }

  const std::array<int32_t, 256> &byteIds;
  const BpeMerges &merges;
  std::vector<Symbol> symbols;
  std::vector<Candidate> heap;
};

} // namespace

size_t BpeTokenizer::encodeOrdinary(absl::string_view text, bool final,
                                    std::vector<int32_t> &ids) const {
  // Symbols are numbered by 32 bits; a longer run is merged in parts.
  constexpr size_t kMaxPieceBytes = size_t(1) << 30;
  PieceMerger merger(byteIds, merges);
  size_t pos = 0;
  while (pos < text.size()) {
    size_t end = nextPieceEnd(text, pos);
    if (!final && text.size() - end < kPieceLookahead)
      break;
    for (; pos < end; pos = std::min(end, pos + kMaxPieceBytes))
      merger.encode(text.substr(pos, std::min(end - pos, kMaxPieceBytes)), ids);
  }
  return pos;
}

} // namespace t6
