// RUN: tpa-opt %s --split-input-file --verify-diagnostics

func.func @attention_c1_none(%v: tensor<1x3x4x2xf32>) {
  // expected-error @below {{needs a score equation}}
  %o = tpa.attention [](%v) value "bhnm,bmhe->bnhe"(%v) : (tensor<1x3x4x2xf32>), (tensor<1x3x4x2xf32>)
  return
}

// -----

func.func @attention_c1_string(%q: tensor<1x3x4x2xf32>) {
  // expected-error @below {{score equations must be strings, but one is 7 : i64}}
  %o = tpa.attention [7](%q) value "bhnm,bmhe->bnhe"(%q) : (tensor<1x3x4x2xf32>), (tensor<1x3x4x2xf32>)
  return
}

// -----

func.func @attention_c1_more_terms(%q: tensor<1x3x4x2xf32>) {
  // expected-error @below {{score equations have more terms than the 1 score factors}}
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q) value "bhnm,bmhe->bnhe"(%q)
      : (tensor<1x3x4x2xf32>), (tensor<1x3x4x2xf32>)
  return
}

// -----

func.func @attention_c1_fewer_terms(%q: tensor<1x3x4x2xf32>, %v: tensor<1x?x4x2xf32>) {
  // expected-error @below {{score equations have fewer terms than the 3 score factors}}
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q, %v, %v) value "bhnm,bmhe->bnhe"(%v)
      : (tensor<1x3x4x2xf32>, tensor<1x?x4x2xf32>, tensor<1x?x4x2xf32>), (tensor<1x?x4x2xf32>)
  return
}

// -----

func.func @attention_c1_rank(%q: tensor<1x3x4x2xf32>, %v: tensor<1x?x4x2xf32>) {
  // expected-error @below {{term "bnd" has 3 labels, but its operand is 'tensor<1x3x4x2xf32>'}}
  %o = tpa.attention ["bnd,bmhd->bhnm"](%q, %v) value "bhnm,bmhe->bnhe"(%v)
      : (tensor<1x3x4x2xf32>, tensor<1x?x4x2xf32>), (tensor<1x?x4x2xf32>)
  return
}

// -----

func.func @attention_c1_form(%q: tensor<1x3x4x2xf32>) {
  // expected-error @below {{equation "bnhd" has no output: expected "terms->output"}}
  %o = tpa.attention ["bnhd"](%q) value "bhnm,bmhe->bnhe"(%q) : (tensor<1x3x4x2xf32>), (tensor<1x3x4x2xf32>)
  return
}

// -----

func.func @attention_c2_order(%q: tensor<1x3x4x2xf32>, %v: tensor<1x?x4x2xf32>) {
  // expected-error @below {{score equation "bnhd,bmhd->bhmn" must yield b first, m last and n between them}}
  %o = tpa.attention ["bnhd,bmhd->bhmn"](%q, %v) value "bhmn,bmhe->bnhe"(%v)
      : (tensor<1x3x4x2xf32>, tensor<1x?x4x2xf32>), (tensor<1x?x4x2xf32>)
  return
}

// -----

func.func @attention_c2_query(%q: tensor<1x3x4x2xf32>, %v: tensor<1x?x4x2xf32>) {
  // expected-error @below {{score equation "bnhd,bmhd->bhm" must yield b first, m last and n between them}}
  %o = tpa.attention ["bnhd,bmhd->bhm"](%q, %v) value "bhm,bmhe->bhe"(%v)
      : (tensor<1x3x4x2xf32>, tensor<1x?x4x2xf32>), (tensor<1x?x4x2xf32>)
  return
}

// -----

func.func @attention_c2_batch(%q: tensor<1x3x4x2xf32>, %v: tensor<1x?x4x2xf32>) {
  // expected-error @below {{score equation "bnhd,bmhd->hbnm" must yield b first, m last and n between them}}
  %o = tpa.attention ["bnhd,bmhd->hbnm"](%q, %v) value "hbnm,bmhe->bnhe"(%v)
      : (tensor<1x3x4x2xf32>, tensor<1x?x4x2xf32>), (tensor<1x?x4x2xf32>)
  return
}

// -----

func.func @attention_c2_same(%q: tensor<1x3x4x2xf32>, %v: tensor<1x?x4x2xf32>) {
  // expected-error @below {{score equations yield "bhnm" and "bnhm": all must yield the same labels}}
  %o = tpa.attention ["bnhd,bmhd->bhnm", "bnhd,bmhd->bnhm"](%q, %v, %q, %v) value "bhnm,bmhe->bnhe"(%v)
      : (tensor<1x3x4x2xf32>, tensor<1x?x4x2xf32>, tensor<1x3x4x2xf32>, tensor<1x?x4x2xf32>), (tensor<1x?x4x2xf32>)
  return
}

// -----

func.func @attention_c3_weight(%q: tensor<1x3x4x2xf32>, %v: tensor<1x?x4x2xf32>) {
  // expected-error @below {{the value equation's first term is "bnhm", but the scores yield "bhnm"}}
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q, %v) value "bnhm,bmhe->bnhe"(%v)
      : (tensor<1x3x4x2xf32>, tensor<1x?x4x2xf32>), (tensor<1x?x4x2xf32>)
  return
}

// -----

func.func @attention_c3_terms(%q: tensor<1x3x4x2xf32>, %v: tensor<1x?x4x2xf32>) {
  // expected-error @below {{the value equation has 1 terms after the weight for 2 value factors}}
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q, %v) value "bhnm,bmhe->bnhe"(%v, %v)
      : (tensor<1x3x4x2xf32>, tensor<1x?x4x2xf32>), (tensor<1x?x4x2xf32>, tensor<1x?x4x2xf32>)
  return
}

// -----

func.func @attention_c3_stream(%q: tensor<1x3x4x2xf32>, %v: tensor<1x?x4x2xf32>) {
  // expected-error @below {{the value equation keeps m: it must be summed over}}
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q, %v) value "bhnm,bmhe->bnmhe"(%v)
      : (tensor<1x3x4x2xf32>, tensor<1x?x4x2xf32>), (tensor<1x?x4x2xf32>)
  return
}

// -----

func.func @attention_c4_scores(%q: tensor<1x3x4x2xf32>, %k: tensor<1x?x4x6xf32>) {
  // expected-error @below {{label 'd' has size 2 in one operand and 6 in another}}
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q, %k) value "bhnm,bmhe->bnhe"(%k)
      : (tensor<1x3x4x2xf32>, tensor<1x?x4x6xf32>), (tensor<1x?x4x6xf32>)
  return
}

// -----

func.func @attention_c4_value(%q: tensor<1x3x4x2xf32>, %v: tensor<1x3x6x2xf32>) {
  // expected-error @below {{label 'h' has size 4 in one operand and 6 in another}}
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q, %q) value "bhnm,bmhe->bnhe"(%v)
      : (tensor<1x3x4x2xf32>, tensor<1x3x4x2xf32>), (tensor<1x3x6x2xf32>)
  return
}

// -----

func.func @attention_c5(%q: tensor<1x3x4x2xf32>, %v: tensor<4x2xf32>) {
  // expected-error @below {{no value factor has the key index m}}
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q, %q) value "bhnm,he->bnhe"(%v)
      : (tensor<1x3x4x2xf32>, tensor<1x3x4x2xf32>), (tensor<4x2xf32>)
  return
}

// -----

func.func @attention_c6_causal(%q: tensor<1x3x4x2xf32>) {
  // expected-error @below {{'tpa.attention' op takes positions if, and only if, it is causal}}
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q, %q) value "bhnm,bmhe->bnhe"(%q) {causal}
      : (tensor<1x3x4x2xf32>, tensor<1x3x4x2xf32>), (tensor<1x3x4x2xf32>)
  return
}

// -----

func.func @attention_c6_not_causal(%q: tensor<1x3x4x2xf32>, %pos: tensor<1xi32>) {
  // expected-error @below {{'tpa.attention' op takes positions if, and only if, it is causal}}
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q, %q) value "bhnm,bmhe->bnhe"(%q) at %pos
      : (tensor<1x3x4x2xf32>, tensor<1x3x4x2xf32>), (tensor<1x3x4x2xf32>), tensor<1xi32>
  return
}

// -----

func.func @attention_c6_rank(%q: tensor<1x3x4x2xf32>, %pos: tensor<1x3xi32>) {
  // expected-error @below {{'tpa.attention' op positions must have rank 1, but is 'tensor<1x3xi32>'}}
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q, %q) value "bhnm,bmhe->bnhe"(%q) at %pos {causal}
      : (tensor<1x3x4x2xf32>, tensor<1x3x4x2xf32>), (tensor<1x3x4x2xf32>), tensor<1x3xi32>
  return
}

// -----

func.func @attention_c6_batch(%q: tensor<1x3x4x2xf32>, %pos: tensor<2xi32>) {
  // expected-error @below {{'tpa.attention' op label 'b' has size 1 in one operand and 2 in another}}
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q, %q) value "bhnm,bmhe->nbhe"(%q) at %pos {causal}
      : (tensor<1x3x4x2xf32>, tensor<1x3x4x2xf32>), (tensor<1x3x4x2xf32>), tensor<2xi32>
  return
}

// -----

func.func @attention_c7_window(%q: tensor<1x3x4x2xf32>, %pos: tensor<1xi32>) {
  // expected-error @below {{'tpa.attention' op window must be positive}}
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q, %q) value "bhnm,bmhe->bnhe"(%q) at %pos {causal, window = 0}
      : (tensor<1x3x4x2xf32>, tensor<1x3x4x2xf32>), (tensor<1x3x4x2xf32>), tensor<1xi32>
  return
}

// -----

func.func @attention_c7_window_causal(%q: tensor<1x3x4x2xf32>) {
  // expected-error @below {{'tpa.attention' op has a window but is not causal}}
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q, %q) value "bhnm,bmhe->bnhe"(%q) {window = 8}
      : (tensor<1x3x4x2xf32>, tensor<1x3x4x2xf32>), (tensor<1x3x4x2xf32>)
  return
}

// -----

func.func @attention_c7_softcap(%q: tensor<1x3x4x2xf32>) {
  // expected-error @below {{'tpa.attention' op softcap must be positive}}
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q, %q) value "bhnm,bmhe->bnhe"(%q) {softcap = 0.0 : f64}
      : (tensor<1x3x4x2xf32>, tensor<1x3x4x2xf32>), (tensor<1x3x4x2xf32>)
  return
}

// -----

func.func @attention_c8_labels(%q: tensor<1x3x4x2xf32>, %s: tensor<4xf32>) {
  // expected-error @below {{'tpa.attention' op sinks are indexed by "n", but must be by labels of "h", each once}}
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q, %q) value "bhnm,bmhe->bnhe"(%q) sinks "n"(%s)
      : (tensor<1x3x4x2xf32>, tensor<1x3x4x2xf32>), (tensor<1x3x4x2xf32>) sinks tensor<4xf32>
  return
}

// -----

func.func @attention_c8_twice(%q: tensor<1x3x4x2xf32>, %s: tensor<4x4xf32>) {
  // expected-error @below {{'tpa.attention' op sinks are indexed by "hh", but must be by labels of "h", each once}}
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q, %q) value "bhnm,bmhe->bnhe"(%q) sinks "hh"(%s)
      : (tensor<1x3x4x2xf32>, tensor<1x3x4x2xf32>), (tensor<1x3x4x2xf32>) sinks tensor<4x4xf32>
  return
}

// -----

func.func @attention_c8_size(%q: tensor<1x3x4x2xf32>, %s: tensor<5xf32>, %pos: tensor<1xi32>) {
  // expected-error @below {{'tpa.attention' op label 'h' has size 4 in one operand and 5 in another}}
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q, %q) value "bhnm,bmhe->bnhe"(%q) at %pos slopes "h"(%s) {causal}
      : (tensor<1x3x4x2xf32>, tensor<1x3x4x2xf32>), (tensor<1x3x4x2xf32>), tensor<1xi32> slopes tensor<5xf32>
  return
}

// -----

func.func @attention_c8_unlabelled(%q: tensor<1x3x4x2xf32>, %s: tensor<4xf32>) {
  // expected-error @below {{'tpa.attention' op states sinks if, and only if, it states their labels}}
  %o = "tpa.attention"(%q, %q, %q, %s) {scores = ["bnhd,bmhd->bhnm"], value = "bhnm,bmhe->bnhe",
      operandSegmentSizes = array<i32: 2, 1, 0, 0, 0, 1>}
      : (tensor<1x3x4x2xf32>, tensor<1x3x4x2xf32>, tensor<1x3x4x2xf32>, tensor<4xf32>) -> tensor<1x3x4x2xf32>
  return
}

// -----

func.func @attention_c9_sinks(%q: tensor<1x3x4x2xf32>, %s: tensor<4xf32>) {
  // expected-error @below {{'tpa.attention' op has sinks, but no softmax that they take part in}}
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q, %q) value "bhnm,bmhe->bnhe"(%q) sinks "h"(%s) {normalizer = #tpa.normalizer<none>}
      : (tensor<1x3x4x2xf32>, tensor<1x3x4x2xf32>), (tensor<1x3x4x2xf32>) sinks tensor<4xf32>
  return
}

// -----

func.func @attention_c9_slopes(%q: tensor<1x3x4x2xf32>, %s: tensor<4xf32>) {
  // expected-error @below {{'tpa.attention' op has slopes but is not causal}}
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q, %q) value "bhnm,bmhe->bnhe"(%q) slopes "h"(%s)
      : (tensor<1x3x4x2xf32>, tensor<1x3x4x2xf32>), (tensor<1x3x4x2xf32>) slopes tensor<4xf32>
  return
}

// -----

func.func @attention_c1_no_key(%q: tensor<1x3x4x2xf32>) {
  // expected-error @below {{no factor of score equation "bnhd,bnhd->bhnm" has the key index m}}
  %o = tpa.attention ["bnhd,bnhd->bhnm"](%q, %q) value "bhnm,bmhe->bnhe"(%q)
      : (tensor<1x3x4x2xf32>, tensor<1x3x4x2xf32>), (tensor<1x3x4x2xf32>)
  return
}

// -----

func.func @attention_c3_query(%q: tensor<1x3x4x2xf32>) {
  // expected-error @below {{the value equation sums over n: its output must have b and n}}
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q, %q) value "bhnm,bmhe->bhe"(%q)
      : (tensor<1x3x4x2xf32>, tensor<1x3x4x2xf32>), (tensor<1x3x4x2xf32>)
  return
}

// -----

func.func @attention_c10_score(%q: tensor<1x3x4x2xf32>, %k: tensor<1x3x3x2xf32>) {
  // expected-error @below {{factor "bnmd" has the query index n and the key index m: what is cached of a key cannot depend on a query}}
  %o = tpa.attention ["bnhd,bnmd->bhnm"](%q, %k) value "bhnm,bmhe->bnhe"(%q)
      : (tensor<1x3x4x2xf32>, tensor<1x3x3x2xf32>), (tensor<1x3x4x2xf32>)
  return
}

// -----

func.func @attention_c10_value(%q: tensor<1x3x4x2xf32>, %k: tensor<1x3x3x2xf32>) {
  // expected-error @below {{factor "bnme" has the query index n and the key index m}}
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q, %q) value "bhnm,bnme->bnhe"(%k)
      : (tensor<1x3x4x2xf32>, tensor<1x3x4x2xf32>), (tensor<1x3x3x2xf32>)
  return
}

// -----

func.func @attention_c11(%q: tensor<1x3x4x2xf32>) {
  // expected-error @below {{'tpa.attention' op score factor 1 is not computed before the attention: a score cannot depend on the value side}}
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q, %o) value "bhnm,bmhe->bnhe"(%q)
      : (tensor<1x3x4x2xf32>, tensor<1x3x4x2xf32>), (tensor<1x3x4x2xf32>)
  return
}

// -----

func.func @attention_c11_later(%q: tensor<1x3x4x2xf32>) {
  // expected-error @below {{'tpa.attention' op score factor 0 is not computed before the attention}}
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%l, %q) value "bhnm,bmhe->bnhe"(%q)
      : (tensor<1x3x4x2xf32>, tensor<1x3x4x2xf32>), (tensor<1x3x4x2xf32>)
  %l = tpa.einsum "bnhe->bnhe"(%o) : tensor<1x3x4x2xf32>
  return
}

// -----

func.func @attention_c12_rank(%q: tensor<1x3x4x2xf32>, %k: tensor<1x?x4x2xf32>, %p: tensor<1xi32>, %a: tensor<3xi64>) {
  // expected-error @below {{'tpa.attention' op ancestors must have rank 2, but is 'tensor<3xi64>'}}
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q, %k) value "bhnm,bmhe->bnhe"(%k) at %p ancestors %a {causal}
      : (tensor<1x3x4x2xf32>, tensor<1x?x4x2xf32>), (tensor<1x?x4x2xf32>), tensor<1xi32> ancestors tensor<3xi64>
  return
}

// -----

func.func @attention_c12_size(%q: tensor<1x3x4x2xf32>, %k: tensor<1x?x4x2xf32>, %p: tensor<1xi32>, %a: tensor<1x4xi64>) {
  // expected-error @below {{'tpa.attention' op label 'n' has size 3 in one operand and 4 in another}}
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q, %k) value "bhnm,bmhe->bnhe"(%k) at %p ancestors %a {causal}
      : (tensor<1x3x4x2xf32>, tensor<1x?x4x2xf32>), (tensor<1x?x4x2xf32>), tensor<1xi32> ancestors tensor<1x4xi64>
  return
}

// -----

func.func @attention_c12_bits(%q: tensor<1x65x4x2xf32>, %k: tensor<1x?x4x2xf32>, %p: tensor<1xi32>, %a: tensor<1x65xi64>) {
  // expected-error @below {{'tpa.attention' op has ancestors of 65 queries, but a mask holds 64 bits}}
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q, %k) value "bhnm,bmhe->bnhe"(%k) at %p ancestors %a {causal}
      : (tensor<1x65x4x2xf32>, tensor<1x?x4x2xf32>), (tensor<1x?x4x2xf32>), tensor<1xi32> ancestors tensor<1x65xi64>
  return
}

// -----

func.func @attention_c12_unknown(%q: tensor<1x?x4x2xf32>, %k: tensor<1x?x4x2xf32>, %p: tensor<1xi32>, %a: tensor<1x?xi64>) {
  // expected-error @below {{'tpa.attention' op has ancestors of an unknown number of queries, but a mask holds 64 bits}}
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q, %k) value "bhnm,bmhe->bnhe"(%k) at %p ancestors %a {causal}
      : (tensor<1x?x4x2xf32>, tensor<1x?x4x2xf32>), (tensor<1x?x4x2xf32>), tensor<1xi32> ancestors tensor<1x?xi64>
  return
}

// -----

func.func @attention_c12_window(%q: tensor<1x3x4x2xf32>, %k: tensor<1x?x4x2xf32>, %p: tensor<1xi32>, %a: tensor<1x3xi64>) {
  // expected-error @below {{'tpa.attention' op has ancestors, but is not causal or has a window or slopes}}
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q, %k) value "bhnm,bmhe->bnhe"(%k) at %p ancestors %a {causal, window = 8 : i64}
      : (tensor<1x3x4x2xf32>, tensor<1x?x4x2xf32>), (tensor<1x?x4x2xf32>), tensor<1xi32> ancestors tensor<1x3xi64>
  return
}

// -----

func.func @attention_c13(%q: tensor<1x3x4x2xf32>, %k: tensor<1x4x?x2xf32>) {
  // expected-error @below {{'tpa.attention' op pins the cache to a factor read as "bhmd": b and m must be its first labels}}
  %o = tpa.attention ["bnhd,bhmd->bhnm"](%q, %k) value "bhnm,bhme->bnhe"(%k) {pin_cache}
      : (tensor<1x3x4x2xf32>, tensor<1x4x?x2xf32>), (tensor<1x4x?x2xf32>)
  return
}
