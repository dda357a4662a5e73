// RUN: tpa-opt %s --t6-instantiate-model --split-input-file --verify-diagnostics

// Functions that look like attentions and cannot be one. Labels and layouts first.

t6.model @unknown_label uses @f {
  vocab = 50, layers = 1, width = 24, ffn = 32, context_length = 64, sizes = {}}

func.func @f(%x: tensor<?x?x?xf32>, %pos: tensor<?xi32>) -> tensor<?x?x?xf32> {
  // expected-error@+1 {{label 'd' of equation "bnd,bmz->bnm" is unknown to all but the term "bnd": sum over it before, or name it as the factor that it meets does}}
  %o = tpa.attention ["bnd,bmz->bnm"](%x, %x) value "bnm,bme->bne"(%x) at %pos {causal}
      : (tensor<?x?x?xf32>, tensor<?x?x?xf32>), (tensor<?x?x?xf32>), tensor<?xi32>
  return %o : tensor<?x?x?xf32>
}

// -----

t6.model @unknown_value_label uses @f {
  vocab = 50, layers = 1, width = 24, ffn = 32, context_length = 64, sizes = {}}

func.func @f(%x: tensor<?x?x?xf32>, %pos: tensor<?xi32>) -> tensor<?x?x?xf32> {
  %w = t6.param "w" "C C" : tensor<?x?xf32>
  // expected-error@+1 {{label 'd' of equation "bnm,bmd,ec->bnec" is unknown to all but the term "bmd"}}
  %o = tpa.attention ["bnd,bmd->bnm"](%x, %x) value "bnm,bmd,ec->bnec"(%x, %w) at %pos {causal}
      : (tensor<?x?x?xf32>, tensor<?x?x?xf32>), (tensor<?x?x?xf32>, tensor<?x?xf32>), tensor<?xi32>
  %y = tpa.einsum "bnec->bnc"(%o) : tensor<?x?x?x?xf32>
  return %y : tensor<?x?x?xf32>
}

// -----

t6.model @output_label uses @f {
  vocab = 50, layers = 1, width = 24, ffn = 32, context_length = 64, sizes = {}}

func.func @f(%x: tensor<?x?x?xf32>, %pos: tensor<?xi32>) -> tensor<?x?x?xf32> {
  // expected-error@+1 {{output label 'z' of equation "bnm,bme->bnz" occurs in no term}}
  %o = tpa.attention ["bnd,bmd->bnm"](%x, %x) value "bnm,bme->bnz"(%x) at %pos {causal}
      : (tensor<?x?x?xf32>, tensor<?x?x?xf32>), (tensor<?x?x?xf32>), tensor<?xi32>
  return %o : tensor<?x?x?xf32>
}

// -----

t6.model @wrong_place uses @f {
  vocab = 50, layers = 1, width = 24, ffn = 32, context_length = 64, sizes = {}}

func.func @f(%x: tensor<?x?x?xf32>, %pos: tensor<?xi32>) -> tensor<?x?x?xf32> {
  // expected-error@+1 {{reads a factor as "mbd": its label m stands for tokens, but these are dimension 1}}
  %o = tpa.attention ["bnd,mbd->bnm"](%x, %x) value "bnm,bme->bne"(%x) at %pos {causal}
      : (tensor<?x?x?xf32>, tensor<?x?x?xf32>), (tensor<?x?x?xf32>), tensor<?xi32>
  return %o : tensor<?x?x?xf32>
}

// -----

t6.model @tokens_summed uses @f {
  vocab = 50, layers = 1, width = 24, ffn = 32, context_length = 64, sizes = {}}

func.func @f(%x: tensor<?x?x?xf32>, %pos: tensor<?xi32>) -> tensor<?x?x?xf32> {
  // expected-error@+1 {{reads a factor as "bzd": its tokens are under the label z, but must be under n, a query, or m, a key}}
  %o = tpa.attention ["bnd,bmd,bzd->bnm"](%x, %x, %x) value "bnm,bme->bne"(%x) at %pos {causal}
      : (tensor<?x?x?xf32>, tensor<?x?x?xf32>, tensor<?x?x?xf32>), (tensor<?x?x?xf32>), tensor<?xi32>
  return %o : tensor<?x?x?xf32>
}

// -----

t6.model @rows_summed uses @f {
  vocab = 50, layers = 1, width = 24, ffn = 32, context_length = 64, sizes = {}}

func.func @f(%x: tensor<?x?x?xf32>, %pos: tensor<?xi32>) -> tensor<?x?x?xf32> {
  // expected-error@+1 {{reads a factor as "znd": its batch rows are under the label z, but must be under b}}
  %o = tpa.attention ["znd,bmd->bnm"](%x, %x) value "bnm,bme->bne"(%x) at %pos {causal}
      : (tensor<?x?x?xf32>, tensor<?x?x?xf32>), (tensor<?x?x?xf32>), tensor<?xi32>
  return %o : tensor<?x?x?xf32>
}

// -----

t6.model @key_of_no_token uses @f {
  vocab = 50, layers = 1, width = 24, ffn = 32, context_length = 64, sizes = {}}

func.func @f(%x: tensor<?x?x?xf32>, %pos: tensor<?xi32>) -> tensor<?x?x?xf32> {
  %w = t6.param "w" "C C" : tensor<?x?xf32>
  // expected-error@+1 {{reads a factor as "md": its label m stands for tokens, on which it does not depend}}
  %o = tpa.attention ["bnd,md->bnm"](%x, %w) value "bnm,bme->bne"(%x) at %pos {causal}
      : (tensor<?x?x?xf32>, tensor<?x?xf32>), (tensor<?x?x?xf32>), tensor<?xi32>
  return %o : tensor<?x?x?xf32>
}

// -----

t6.model @layout uses @f {
  vocab = 50, layers = 1, width = 24, ffn = 32, context_length = 64, sizes = {}}

func.func @f(%x: tensor<?x?x?xf32>, %pos: tensor<?xi32>) -> tensor<?x?x?xf32> {
  %k = tpa.einsum "bnd->dbn"(%x) : tensor<?x?x?xf32>
  // expected-error@+1 {{reads a key or value factor as "dbm": a factor with the key index m is cached and must be laid out b, m, then static dimensions}}
  %o = tpa.attention ["bnd,dbm->bnm"](%x, %k) value "bnm,bme->bne"(%x) at %pos {causal}
      : (tensor<?x?x?xf32>, tensor<?x?x?xf32>), (tensor<?x?x?xf32>), tensor<?xi32>
  return %o : tensor<?x?x?xf32>
}

// -----

// A cached factor that depends on the query.

t6.model @key_of_queries uses @f {
  vocab = 50, layers = 1, width = 24, ffn = 32, context_length = 64, sizes = {}}

func.func @f(%x: tensor<?x?x?xf32>, %pos: tensor<?xi32>) -> tensor<?x?x?xf32> {
  // expected-error@+1 {{'tpa.einsum' op pairs tokens, under the labels n and m: only tpa.attention may, and tpa.recent those just before, for tokens come in parts and what is cached of one is computed when it comes}}
  %k = tpa.einsum "bnd,bmd->bmd"(%x, %x) : tensor<?x?x?xf32>, tensor<?x?x?xf32>
  // expected-note@+1 {{a factor of this attention depends on it}}
  %o = tpa.attention ["bnd,bmd->bnm"](%x, %k) value "bnm,bme->bne"(%x) at %pos {causal}
      : (tensor<?x?x?xf32>, tensor<?x?x?xf32>), (tensor<?x?x?xf32>), tensor<?xi32>
  return %o : tensor<?x?x?xf32>
}

// -----

t6.model @key_of_sum uses @f {
  vocab = 50, layers = 1, width = 24, ffn = 32, context_length = 64, sizes = {}}

func.func @f(%x: tensor<?x?x?xf32>, %pos: tensor<?xi32>) -> tensor<?x?x?xf32> {
  // expected-error@+1 {{'tpa.einsum' op sums over tokens, under the label n: only tpa.attention may}}
  %s = tpa.einsum "bnd->bd"(%x) : tensor<?x?x?xf32>
  %k = tpa.einsum "bnd,bd->bnd"(%x, %s) : tensor<?x?x?xf32>, tensor<?x?xf32>
  // expected-note@+1 {{a factor of this attention depends on it}}
  %o = tpa.attention ["bnd,bmd->bnm"](%x, %k) value "bnm,bme->bne"(%x) at %pos {causal}
      : (tensor<?x?x?xf32>, tensor<?x?x?xf32>), (tensor<?x?x?xf32>), tensor<?xi32>
  return %o : tensor<?x?x?xf32>
}

// -----

t6.model @normalized_over_tokens uses @f {
  vocab = 50, layers = 1, width = 24, ffn = 32, context_length = 64, sizes = {}}

func.func @f(%x: tensor<?x?x?xf32>, %pos: tensor<?xi32>) -> tensor<?x?x?xf32> {
  %t = tpa.einsum "bnd->bdn"(%x) : tensor<?x?x?xf32>
  // expected-error@+1 {{'tpa.softmax' op works along tokens, dimension 2: only tpa.attention may}}
  %w = tpa.softmax %t : tensor<?x?x?xf32>
  %k = tpa.einsum "bdn->bnd"(%w) : tensor<?x?x?xf32>
  // expected-note@+1 {{a factor of this attention depends on it}}
  %o = tpa.attention ["bnd,bmd->bnm"](%x, %k) value "bnm,bme->bne"(%x) at %pos {causal}
      : (tensor<?x?x?xf32>, tensor<?x?x?xf32>), (tensor<?x?x?xf32>), tensor<?xi32>
  return %o : tensor<?x?x?xf32>
}

// -----

// After the attention it is no better: a chunk of a prompt would see itself alone.
t6.model @mean_of_results uses @f {
  vocab = 50, layers = 1, width = 24, ffn = 32, context_length = 64, sizes = {}}

func.func @f(%x: tensor<?x?x?xf32>, %pos: tensor<?xi32>) -> tensor<?x?x?xf32> {
  %o = tpa.attention ["bnd,bmd->bnm"](%x, %x) value "bnm,bme->bne"(%x) at %pos {causal}
      : (tensor<?x?x?xf32>, tensor<?x?x?xf32>), (tensor<?x?x?xf32>), tensor<?xi32>
  // expected-error@+1 {{'tpa.einsum' op pairs tokens, under the labels n and k}}
  %y = tpa.einsum "bnc,bkc->bnc"(%o, %x) : tensor<?x?x?xf32>, tensor<?x?x?xf32>
  return %y : tensor<?x?x?xf32>
}

// -----

t6.model @mixed_rows uses @f {
  vocab = 50, layers = 1, width = 24, ffn = 32, context_length = 64, sizes = {}}

func.func @f(%x: tensor<?x?x?xf32>, %pos: tensor<?xi32>) -> tensor<?x?x?xf32> {
  // expected-error@+1 {{'tpa.einsum' op pairs batch rows, under the labels b and a: rows are sequences of their own}}
  %k = tpa.einsum "bnd,and->bnd"(%x, %x) : tensor<?x?x?xf32>, tensor<?x?x?xf32>
  %o = tpa.attention ["bnd,bmd->bnm"](%x, %k) value "bnm,bme->bne"(%x) at %pos {causal}
      : (tensor<?x?x?xf32>, tensor<?x?x?xf32>), (tensor<?x?x?xf32>), tensor<?xi32>
  return %o : tensor<?x?x?xf32>
}

// -----

t6.model @table_of_tokens uses @f {
  vocab = 50, layers = 1, width = 24, ffn = 32, context_length = 64, sizes = {T = 64}}

func.func @f(%x: tensor<?x?x?xf32>, %pos: tensor<?xi32>) -> tensor<?x?x?xf32> {
  %t = t6.param "t" "T C" : tensor<?x?xf32>
  // expected-error@+1 {{reads the tokens, label n, beside an operand "nd" that is the same for any tokens and has no size of theirs}}
  %k = tpa.einsum "bnd,nd->bnd"(%x, %t) : tensor<?x?x?xf32>, tensor<?x?xf32>
  %o = tpa.attention ["bnd,bmd->bnm"](%x, %k) value "bnm,bme->bne"(%x) at %pos {causal}
      : (tensor<?x?x?xf32>, tensor<?x?x?xf32>), (tensor<?x?x?xf32>), tensor<?xi32>
  return %o : tensor<?x?x?xf32>
}

// -----

t6.model @index_of_token uses @f {
  vocab = 50, layers = 1, width = 24, ffn = 32, context_length = 64, sizes = {}}

func.func @f(%x: tensor<?x?x?xf32>, %pos: tensor<?xi32>) -> tensor<?x?x?xf32> {
  %k = tpa.map "bnd->bnd"(%x) {
  ^bb0(%e: f32):
    // expected-error@+1 {{asks for the index of a token, which counts from the first of a part: add the position of its row, an element of 'tensor<?xi32>'}}
    %n = tpa.index "n"
    %0 = arith.index_cast %n : index to i32
    %1 = arith.sitofp %0 : i32 to f32
    %2 = arith.mulf %e, %1 : f32
    tpa.yield %2 : f32
  } : tensor<?x?x?xf32>
  %o = tpa.attention ["bnd,bmd->bnm"](%x, %k) value "bnm,bme->bne"(%x) at %pos {causal}
      : (tensor<?x?x?xf32>, tensor<?x?x?xf32>), (tensor<?x?x?xf32>), tensor<?xi32>
  return %o : tensor<?x?x?xf32>
}

// -----

t6.model @captured uses @f {
  vocab = 50, layers = 1, width = 24, ffn = 32, context_length = 64, sizes = {}}

func.func @f(%x: tensor<?x?x?xf32>, %pos: tensor<?xi32>) -> tensor<?x?x?xf32> {
  // expected-error@+1 {{'tpa.map' op captures tokens: only tpa.attention may}}
  %k = tpa.map "bnd->bnd"(%x) {
  ^bb0(%e: f32):
    %0 = arith.constant 0 : index
    %1 = tensor.extract %x[%0, %0, %0] : tensor<?x?x?xf32>
    %2 = arith.mulf %e, %1 : f32
    tpa.yield %2 : f32
  } : tensor<?x?x?xf32>
  // expected-note@+1 {{a factor of this attention depends on it}}
  %o = tpa.attention ["bnd,bmd->bnm"](%x, %k) value "bnm,bme->bne"(%x) at %pos {causal}
      : (tensor<?x?x?xf32>, tensor<?x?x?xf32>), (tensor<?x?x?xf32>), tensor<?xi32>
  return %o : tensor<?x?x?xf32>
}

// -----

t6.model @rotated_by_row uses @f {
  vocab = 50, layers = 1, width = 24, ffn = 32, context_length = 64, sizes = {}}

func.func @f(%x: tensor<?x?x?xf32>, %pos: tensor<?xi32>) -> tensor<?x?x?xf32> {
  %t = tpa.einsum "bnd->nbd"(%x) : tensor<?x?x?xf32>
  // expected-error@+1 {{rotates along dimensions 0 and 1 as batch rows and tokens, but tokens are dimension 0 of x}}
  %r = tpa.rope %t at %pos {rope = #tpa.rope<>} : tensor<?x?x?xf32>, tensor<?xi32>
  %k = tpa.einsum "nbd->bnd"(%r) : tensor<?x?x?xf32>
  %o = tpa.attention ["bnd,bmd->bnm"](%x, %k) value "bnm,bme->bne"(%x) at %pos {causal}
      : (tensor<?x?x?xf32>, tensor<?x?x?xf32>), (tensor<?x?x?xf32>), tensor<?xi32>
  return %o : tensor<?x?x?xf32>
}

// -----

t6.model @transposed_pointwise uses @f {
  vocab = 50, layers = 1, width = 24, ffn = 32, context_length = 64, sizes = {}}

func.func @f(%x: tensor<?x?x?xf32>, %pos: tensor<?xi32>) -> tensor<?x?x?xf32> {
  %t = tpa.einsum "bnd->bdn"(%x) : tensor<?x?x?xf32>
  // expected-error@+1 {{'arith.addf' op pairs tokens, in dimensions 1 and 2}}
  %k = arith.addf %x, %t : tensor<?x?x?xf32>
  // expected-note@+1 {{a factor of this attention depends on it}}
  %o = tpa.attention ["bnd,bmd->bnm"](%x, %k) value "bnm,bme->bne"(%x) at %pos {causal}
      : (tensor<?x?x?xf32>, tensor<?x?x?xf32>), (tensor<?x?x?xf32>), tensor<?xi32>
  return %o : tensor<?x?x?xf32>
}

// -----

t6.model @transposed_result uses @f {
  vocab = 50, layers = 1, width = 24, ffn = 32, context_length = 64, sizes = {}}

func.func @f(%x: tensor<?x?x?xf32>, %pos: tensor<?xi32>) -> tensor<?x?x?xf32> {
  %o = tpa.attention ["bnd,bmd->bnm"](%x, %x) value "bnm,bme->nbe"(%x) at %pos {causal}
      : (tensor<?x?x?xf32>, tensor<?x?x?xf32>), (tensor<?x?x?xf32>), tensor<?xi32>
  // expected-error@+1 {{'func.return' op yields tokens in dimension 0, but they are dimension 1 of a hidden state}}
  return %o : tensor<?x?x?xf32>
}

// -----

// A score that depends on the value side: on sums over keys.

t6.model @written_out uses @f {
  vocab = 50, layers = 1, width = 24, ffn = 32, context_length = 64, sizes = {}}

func.func @f(%x: tensor<?x?x?xf32>, %pos: tensor<?xi32>) -> tensor<?x?x?xf32> {
  // expected-error@+1 {{'tpa.einsum' op pairs tokens, under the labels n and m: only tpa.attention may}}
  %s = tpa.einsum "bnd,bmd->bnm"(%x, %x) : tensor<?x?x?xf32>, tensor<?x?x?xf32>
  %w = tpa.softmax %s : tensor<?x?x?xf32>
  %y = tpa.einsum "bnm,bme->bne"(%w, %x) : tensor<?x?x?xf32>, tensor<?x?x?xf32>
  return %y : tensor<?x?x?xf32>
}

// -----

t6.model @two_softmaxes uses @f {
  vocab = 50, layers = 1, width = 24, ffn = 32, context_length = 64, sizes = {}}

func.func @f(%x: tensor<?x?x?xf32>, %pos: tensor<?xi32>) -> tensor<?x?x?xf32> {
  // expected-note@+1 {{the first is here}}
  %k = tpa.attention ["bnd,bmd->bnm"](%x, %x) value "bnm,bme->bne"(%x) at %pos {causal}
      : (tensor<?x?x?xf32>, tensor<?x?x?xf32>), (tensor<?x?x?xf32>), tensor<?xi32>
  // expected-error@+1 {{is a second attention in one function: a layer has one, with a score equation per term of its scores}}
  %o = tpa.attention ["bnd,bmd->bnm"](%x, %k) value "bnm,bme->bne"(%x) at %pos {causal}
      : (tensor<?x?x?xf32>, tensor<?x?x?xf32>), (tensor<?x?x?xf32>), tensor<?xi32>
  return %o : tensor<?x?x?xf32>
}

// -----

// Forms of the function.

t6.model @unused uses @f {
  vocab = 50, layers = 1, width = 24, ffn = 32, context_length = 64, sizes = {}}

func.func @f(%x: tensor<?x?x?xf32>, %pos: tensor<?xi32>) -> tensor<?x?x?xf32> {
  // expected-error@+1 {{does not reach the function's result: return what is computed from it}}
  %o = tpa.attention ["bnd,bmd->bnm"](%x, %x) value "bnm,bme->bne"(%x) at %pos {causal}
      : (tensor<?x?x?xf32>, tensor<?x?x?xf32>), (tensor<?x?x?xf32>), tensor<?xi32>
  %y = arith.addf %o, %x : tensor<?x?x?xf32>
  return %x : tensor<?x?x?xf32>
}

// -----

t6.model @recursive uses @f {
  vocab = 50, layers = 1, width = 24, ffn = 32, context_length = 64, sizes = {}}

func.func @f(%x: tensor<?x?x?xf32>, %pos: tensor<?xi32>) -> tensor<?x?x?xf32> {
  // expected-error@+1 {{'func.call' op calls @f in itself: an attention function does not recur}}
  %y = func.call @f(%x, %pos) : (tensor<?x?x?xf32>, tensor<?xi32>) -> tensor<?x?x?xf32>
  return %y : tensor<?x?x?xf32>
}

// -----

t6.model @helper uses @f {
  vocab = 50, layers = 1, width = 24, ffn = 32, context_length = 64, sizes = {}}

func.func private @g(tensor<?x?x?xf32>) -> tensor<?x?x?xf32>

func.func @f(%x: tensor<?x?x?xf32>, %pos: tensor<?xi32>) -> tensor<?x?x?xf32> {
  // expected-error@+1 {{'func.call' op calls @g: an attention is one function; write its operations here}}
  %y = func.call @g(%x) : (tensor<?x?x?xf32>) -> tensor<?x?x?xf32>
  return %y : tensor<?x?x?xf32>
}

// -----

t6.model @foreign uses @f {
  vocab = 50, layers = 1, width = 24, ffn = 32, context_length = 64, sizes = {}}

func.func @f(%x: tensor<?x?x?xf32>, %pos: tensor<?xi32>) -> tensor<?x?x?xf32> {
  // expected-error@+1 {{'tensor.cast' op cannot be in an attention function: its operations are tpa, t6, and pointwise arith and math, of which sizes are inferred}}
  %y = tensor.cast %x : tensor<?x?x?xf32> to tensor<1x?x24xf32>
  return %x : tensor<?x?x?xf32>
}

// -----

t6.model @recent_of_parameter uses @f {
  vocab = 50, layers = 1, width = 24, ffn = 32, context_length = 64, sizes = {}}

func.func @f(%x: tensor<?x?x?xf32>, %pos: tensor<?xi32>) -> tensor<?x?x?xf32> {
  %w = t6.param "w" "C C" : tensor<?x?xf32>
  // expected-error@+1 {{'tpa.recent' op gathers along dimensions 0 and 1 as batch rows and tokens, but x does not depend on tokens}}
  %two = tpa.recent %w at %pos tokens 2 : tensor<?x?xf32>, tensor<?xi32>
  %o = tpa.attention ["bnd,bmd->bnm"](%x, %x) value "bnm,bme->bne"(%x) at %pos {causal}
      : (tensor<?x?x?xf32>, tensor<?x?x?xf32>), (tensor<?x?x?xf32>), tensor<?xi32>
  return %o : tensor<?x?x?xf32>
}

// -----

t6.model @recent_of_features uses @f {
  vocab = 50, layers = 1, width = 24, ffn = 32, context_length = 64, sizes = {}}

func.func @f(%x: tensor<?x?x?xf32>, %pos: tensor<?xi32>) -> tensor<?x?x?xf32> {
  %turned = tpa.einsum "bnc->bcn"(%x) : tensor<?x?x?xf32>
  // expected-error@+1 {{'tpa.recent' op gathers along dimensions 0 and 1 as batch rows and tokens, but tokens are dimension 2 of x}}
  %two = tpa.recent %turned at %pos tokens 2 : tensor<?x?x?xf32>, tensor<?xi32>
  %k = tpa.einsum "bcjn->bnc"(%two) : tensor<?x?x2x?xf32>
  %o = tpa.attention ["bnd,bmd->bnm"](%x, %k) value "bnm,bme->bne"(%x) at %pos {causal}
      : (tensor<?x?x?xf32>, tensor<?x?x?xf32>), (tensor<?x?x?xf32>), tensor<?xi32>
  return %o : tensor<?x?x?xf32>
}

// -----

t6.model @branches uses @f {
  vocab = 50, layers = 1, width = 24, ffn = 32, context_length = 64, sizes = {}}

func.func @f(%x: tensor<?x?x?xf32>, %pos: tensor<?xi32>) -> tensor<?x?x?xf32> {
  // expected-error@+1 {{'cf.br' op branches, but an attention function is one block: what depends on an element can be a tpa.map}}
  cf.br ^bb1
^bb1:
  return %x : tensor<?x?x?xf32>
}

// -----

t6.model @results uses @f {
  vocab = 50, layers = 1, width = 24, ffn = 32, context_length = 64, sizes = {}}

// expected-error@+1 {{is used as attention, but is not a function of the hidden state (b, n, C) and positions (b) to b, n, C: it has 2 results}}
func.func @f(%x: tensor<?x?x?xf32>, %pos: tensor<?xi32>) -> (tensor<?x?x?xf32>, tensor<?x?x?xf32>) {
  return %x, %x : tensor<?x?x?xf32>, tensor<?x?x?xf32>
}

// -----

t6.model @element uses @f {
  vocab = 50, layers = 1, width = 24, ffn = 32, context_length = 64, sizes = {}}

// expected-error@+1 {{to b, n, C: the hidden state is 'tensor<?x?x?xbf16>', but must be 'tensor<?x?x?xf32>'}}
func.func @f(%x: tensor<?x?x?xbf16>, %pos: tensor<?xi32>) -> tensor<?x?x?xbf16> {
  return %x : tensor<?x?x?xbf16>
}

// -----

t6.model @positions uses @f {
  vocab = 50, layers = 1, width = 24, ffn = 32, context_length = 64, sizes = {}}

// expected-error@+1 {{to b, n, C: positions are 'tensor<?xi64>', but must be 'tensor<?xi32>'}}
func.func @f(%x: tensor<?x?x?xf32>, %pos: tensor<?xi64>) -> tensor<?x?x?xf32> {
  return %x : tensor<?x?x?xf32>
}

// -----

t6.model @empty uses @f {
  vocab = 50, layers = 1, width = 24, ffn = 32, context_length = 64, sizes = {}}

// expected-error@+1 {{empty block: expect at least a terminator}}
func.func @f(%x: tensor<?x?x?xf32>, %pos: tensor<?xi32>) -> tensor<?x?x?xf32> {
}

// -----

// expected-error@+1 {{uses @itself, which is not a function, but a t6.model}}
t6.model @itself uses @itself {
  vocab = 50, layers = 1, width = 24, ffn = 32, context_length = 64, sizes = {}}

// -----

// expected-error@+1 {{tpa_window. HINT: did you mean @tpa_softcap?}}
t6.model @misspelt uses @tpa_sofcap {
  vocab = 50, layers = 1, width = 24, ffn = 32, context_length = 64, sizes = {}}
