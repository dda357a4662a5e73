// RUN: tpa-opt %s --split-input-file --verify-diagnostics

func.func @map_c1_terms(%x: tensor<2x3xf32>) {
  // expected-error @below {{equation "nm,n->nm" has 2 terms for 1 operands}}
  %y = tpa.map "nm,n->nm"(%x) {
  ^bb0(%e: f32):
    tpa.yield %e : f32
  } : tensor<2x3xf32>
  return
}

// -----

func.func @map_c1_output(%x: tensor<2x3xf32>) {
  // expected-error @below {{the output of "nm->mn" must be its first term}}
  %y = tpa.map "nm->mn"(%x) {
  ^bb0(%e: f32):
    tpa.yield %e : f32
  } : tensor<2x3xf32>
  return
}

// -----

func.func @map_c1_label(%x: tensor<2x3xf32>, %s: tensor<4xf32>) {
  // expected-error @below {{label 'h' is not in the output of "nm,h->nm"}}
  %y = tpa.map "nm,h->nm"(%x, %s) {
  ^bb0(%e: f32, %f: f32):
    tpa.yield %e : f32
  } : tensor<2x3xf32>, tensor<4xf32>
  return
}

// -----

func.func @map_c2(%x: tensor<2x3xf32>, %s: tensor<4xf32>) {
  // expected-error @below {{label 'm' has size 3 in one operand and 4 in another}}
  %y = tpa.map "nm,m->nm"(%x, %s) {
  ^bb0(%e: f32, %f: f32):
    tpa.yield %e : f32
  } : tensor<2x3xf32>, tensor<4xf32>
  return
}

// -----

func.func @map_c3_arguments(%x: tensor<2x3xf32>) {
  // expected-error @below {{'tpa.map' op body has 2 arguments for 1 operands}}
  %y = tpa.map "nm->nm"(%x) {
  ^bb0(%e: f32, %f: f32):
    tpa.yield %e : f32
  } : tensor<2x3xf32>
  return
}

// -----

func.func @map_c3_yield(%x: tensor<2x3xf32>) {
  // expected-error @below {{'tpa.map' op body must yield one element}}
  %y = tpa.map "nm->nm"(%x) {
  ^bb0(%e: f32):
    tpa.yield %e, %e : f32, f32
  } : tensor<2x3xf32>
  return
}

// -----

func.func @map_c3_element(%x: tensor<2x3xbf16>) {
  // expected-error @below {{'tpa.map' op body must take and yield elements of type 'f32'}}
  %y = tpa.map "nm->nm"(%x) {
  ^bb0(%e: bf16):
    tpa.yield %e : bf16
  } : tensor<2x3xbf16>
  return
}

// -----

func.func @index_c1_label(%x: tensor<2x3xf32>) {
  %y = tpa.map "nm->nm"(%x) {
  ^bb0(%e: f32):
    // expected-error @below {{'tpa.index' op asks for "k", but the map's labels are "nm"}}
    %0 = tpa.index "k"
    tpa.yield %e : f32
  } : tensor<2x3xf32>
  return
}

// -----

func.func @index_c1_outside() {
  // expected-error @below {{'tpa.index' op is not inside a tpa.map}}
  %0 = tpa.index "n"
  return
}

// -----

func.func @stream_c1_outputs(%x: tensor<4x?xf32>, %o: tensor<1x4xf32>) {
  // expected-error @below {{'tpa.stream' op equation "nm" has no outputs}}
  %r = tpa.stream "nm"(%x) outs(%o) block 8 splits 1 {
  ^bb0(%b: tensor<4x?xf32>):
    %s = tpa.einsum "nm->n"(%b) : tensor<4x?xf32>
    tpa.yield %s : tensor<4xf32>
  } : (tensor<4x?xf32>) -> (tensor<1x4xf32>)
  return
}

// -----

func.func @stream_c1_terms(%x: tensor<4x?xf32>, %o: tensor<1x4xf32>) {
  // expected-error @below {{'tpa.stream' op equation "nm,n->n" does not have a term for each of 1 operands and an output for each of 1 outs}}
  %r = tpa.stream "nm,n->n"(%x) outs(%o) block 8 splits 1 {
  ^bb0(%b: tensor<4x?xf32>):
    %s = tpa.einsum "nm->n"(%b) : tensor<4x?xf32>
    tpa.yield %s : tensor<4xf32>
  } : (tensor<4x?xf32>) -> (tensor<1x4xf32>)
  return
}

// -----

func.func @stream_c1_keeps(%x: tensor<4x8xf32>, %o: tensor<1x4x8xf32>) {
  // expected-error @below {{'tpa.stream' op output "nm" keeps m}}
  %r = tpa.stream "nm->nm"(%x) outs(%o) block 8 splits 1 {
  ^bb0(%b: tensor<4x?xf32>):
    tpa.yield %b : tensor<4x?xf32>
  } : (tensor<4x8xf32>) -> (tensor<1x4x8xf32>)
  return
}

// -----

func.func @stream_c1_streams(%x: tensor<4x8xf32>, %o: tensor<1x4xf32>) {
  // expected-error @below {{'tpa.stream' op has no operand with the label m}}
  %r = tpa.stream "nd->n"(%x) outs(%o) block 8 splits 1 {
  ^bb0(%b: tensor<4x8xf32>):
    %s = tpa.einsum "nd->n"(%b) : tensor<4x8xf32>
    tpa.yield %s : tensor<4xf32>
  } : (tensor<4x8xf32>) -> (tensor<1x4xf32>)
  return
}

// -----

func.func @stream_c2(%x: tensor<4x?xf32>, %y: tensor<5xf32>, %o: tensor<1x4xf32>) {
  // expected-error @below {{'tpa.stream' op label 'n' has size 4 in one operand and 5 in another}}
  %r = tpa.stream "nm,n->n"(%x, %y) outs(%o) block 8 splits 1 {
  ^bb0(%b: tensor<4x?xf32>, %c: tensor<5xf32>):
    %s = tpa.einsum "nm->n"(%b) : tensor<4x?xf32>
    tpa.yield %s : tensor<4xf32>
  } : (tensor<4x?xf32>, tensor<5xf32>) -> (tensor<1x4xf32>)
  return
}

// -----

func.func @stream_c3_size(%x: tensor<4x?xf32>, %o: tensor<1x5xf32>) {
  // expected-error @below {{'tpa.stream' op label 'n' has size 4 in one operand and 5 in another}}
  %r = tpa.stream "nm->n"(%x) outs(%o) block 8 splits 1 {
  ^bb0(%b: tensor<4x?xf32>):
    %s = tpa.einsum "nm->n"(%b) : tensor<4x?xf32>
    tpa.yield %s : tensor<4xf32>
  } : (tensor<4x?xf32>) -> (tensor<1x5xf32>)
  return
}

// -----

func.func @stream_c3_splits(%x: tensor<4x?xf32>, %o: tensor<1x4xf32>) {
  // expected-error @below {{'tpa.stream' op an out is 'tensor<1x4xf32>', but there are 2 splits}}
  %r = tpa.stream "nm->n"(%x) outs(%o) block 8 splits 2 {
  ^bb0(%b: tensor<4x?xf32>):
    %s = tpa.einsum "nm->n"(%b) : tensor<4x?xf32>
    tpa.yield %s : tensor<4xf32>
  } : (tensor<4x?xf32>) -> (tensor<1x4xf32>)
  return
}

// -----

func.func @stream_c4_arguments(%x: tensor<4x?xf32>, %o: tensor<1x4xf32>) {
  // expected-error @below {{'tpa.stream' op body has 2 arguments for 1 operands}}
  %r = tpa.stream "nm->n"(%x) outs(%o) block 8 splits 1 {
  ^bb0(%b: tensor<4x?xf32>, %c: tensor<4xf32>):
    tpa.yield %c : tensor<4xf32>
  } : (tensor<4x?xf32>) -> (tensor<1x4xf32>)
  return
}

// -----

func.func @stream_c4_type(%x: tensor<4x8xf32>, %o: tensor<1x4xf32>) {
  // expected-error @below {{'tpa.stream' op body takes 'tensor<4x8xf32>' for term "nm", but must take 'tensor<4x?xf32>'}}
  %r = tpa.stream "nm->n"(%x) outs(%o) block 8 splits 1 {
  ^bb0(%b: tensor<4x8xf32>):
    %s = tpa.einsum "nm->n"(%b) : tensor<4x8xf32>
    tpa.yield %s : tensor<4xf32>
  } : (tensor<4x8xf32>) -> (tensor<1x4xf32>)
  return
}

// -----

func.func @stream_c4_yields(%l: tensor<4x?xf32>, %v: tensor<?x8xf32>, %o: tensor<1x4x8xf32>) {
  // expected-error @below {{'tpa.stream' op must yield a value for each of 1 outputs but the maximum and the sum of weights}}
  %r = tpa.stream "nm,me->ne"(%l, %v) outs(%o) block 8 splits 1 {
  ^bb0(%a: tensor<4x?xf32>, %b: tensor<?x8xf32>):
    %w = tpa.online_softmax %a dim 1 : tensor<4x?xf32>
    %s = tpa.einsum "nm,me->ne"(%w, %b) : tensor<4x?xf32>, tensor<?x8xf32>
    tpa.yield %s : tensor<4x8xf32>
  } : (tensor<4x?xf32>, tensor<?x8xf32>) -> (tensor<1x4x8xf32>)
  return
}

// -----

func.func @stream_c4_one_softmax(%l: tensor<4x?xf32>, %mu: tensor<1x4xf32>, %o: tensor<1x4xf32>) {
  // expected-error @below {{'tpa.stream' op has more than one tpa.online_softmax}}
  %r:3 = tpa.stream "nm->n,n,n"(%l) outs(%mu, %mu, %o) block 8 splits 1 {
  ^bb0(%a: tensor<4x?xf32>):
    %w = tpa.online_softmax %a dim 1 : tensor<4x?xf32>
    %v = tpa.online_softmax %w dim 1 : tensor<4x?xf32>
    %s = tpa.einsum "nm->n"(%v) : tensor<4x?xf32>
    tpa.yield %s : tensor<4xf32>
  } : (tensor<4x?xf32>) -> (tensor<1x4xf32>, tensor<1x4xf32>, tensor<1x4xf32>)
  return
}

// -----

func.func @stream_c5(%x: tensor<4x?xf32>, %o: tensor<1x4xf32>) {
  // expected-error @below {{'tpa.stream' op block and splits must be positive}}
  %r = tpa.stream "nm->n"(%x) outs(%o) block 0 splits 1 {
  ^bb0(%b: tensor<4x?xf32>):
    %s = tpa.einsum "nm->n"(%b) : tensor<4x?xf32>
    tpa.yield %s : tensor<4xf32>
  } : (tensor<4x?xf32>) -> (tensor<1x4xf32>)
  return
}

// -----

func.func @stream_c6(%x: tensor<4x?xf32>, %o: tensor<1x4xf32>) {
  // expected-error @below {{'tpa.stream' op has 0 results for 1 outs}}
  "tpa.stream"(%x, %o) <{equation = "nm->n", block = 8 : i64, splits = 1 : i64, operandSegmentSizes = array<i32: 1, 0, 0, 1>}> ({
  ^bb0(%b: tensor<4x?xf32>):
    %s = tpa.einsum "nm->n"(%b) : tensor<4x?xf32>
    tpa.yield %s : tensor<4xf32>
  }) : (tensor<4x?xf32>, tensor<1x4xf32>) -> ()
  return
}

// -----

func.func @online_softmax_c1(%l: tensor<4x?xf32>, %o: tensor<1x4xf32>) {
  %r:3 = tpa.stream "nm->n,n,n"(%l) outs(%o, %o, %o) block 8 splits 1 {
  ^bb0(%a: tensor<4x?xf32>):
    // expected-error @below {{dimension 2 is none of 'tensor<4x?xf32>'}}
    %w = tpa.online_softmax %a dim 2 : tensor<4x?xf32>
    %s = tpa.einsum "nm->n"(%w) : tensor<4x?xf32>
    tpa.yield %s : tensor<4xf32>
  } : (tensor<4x?xf32>) -> (tensor<1x4xf32>, tensor<1x4xf32>, tensor<1x4xf32>)
  return
}

// -----

func.func @merge_c1_terms(%r: tensor<2x4xf32>) {
  // expected-error @below {{equation "n,n->n" must have a term for each of maxima, sums, values and, if there are any, sinks}}
  %o = tpa.merge "n,n->n"(%r, %r) : tensor<2x4xf32>, tensor<2x4xf32>
  return
}

// -----

func.func @merge_c1_form(%r: tensor<2x4xf32>, %v: tensor<2x8xf32>) {
  // expected-error @below {{equation "n,n,e->e" is not of the form "rows,rows,values->values"}}
  %o = tpa.merge "n,n,e->e"(%r, %r, %v) : tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x8xf32>
  return
}

// -----

func.func @merge_c2_parts(%r: tensor<2x4xf32>, %v: tensor<3x4x8xf32>) {
  // expected-error @below {{operands have 2 and 3 parts}}
  %o = tpa.merge "n,n,ne->ne"(%r, %r, %v) : tensor<2x4xf32>, tensor<2x4xf32>, tensor<3x4x8xf32>
  return
}

// -----

func.func @merge_c2_sizes(%r: tensor<2x4xf32>, %v: tensor<2x5x8xf32>) {
  // expected-error @below {{label 'n' has size 4 in one operand and 5 in another}}
  %o = tpa.merge "n,n,ne->ne"(%r, %r, %v) : tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x5x8xf32>
  return
}

// -----

func.func @stream_c7_rank(%x: tensor<2x1x8xf32>, %k: tensor<9x64x8xf32>, %t: tensor<8xi32>, %m: index, %z: tensor<1x2x1x8xf32>) {
  // expected-error @below {{'tpa.stream' op pages must be a table of i32 of rank 2, but is 'tensor<8xi32>'}}
  %s = tpa.stream "bnd,bmd->bnd"(%x, %k) pages(%t : tensor<8xi32>) length %m of [1] outs(%z) block 16 splits 1 {
  ^bb0(%xi: tensor<2x1x8xf32>, %kj: tensor<2x?x8xf32>):
    %l = tpa.einsum "bnd,bmd->bnm"(%xi, %kj) : tensor<2x1x8xf32>, tensor<2x?x8xf32>
    %o = tpa.einsum "bnm,bmd->bnd"(%l, %kj) : tensor<2x1x?xf32>, tensor<2x?x8xf32>
    tpa.yield %o : tensor<2x1x8xf32>
  } : (tensor<2x1x8xf32>, tensor<9x64x8xf32>) -> (tensor<1x2x1x8xf32>)
  return
}

// -----

func.func @stream_c7_element(%x: tensor<2x1x8xf32>, %k: tensor<9x64x8xf32>, %t: tensor<2x4xi64>, %m: index, %z: tensor<1x2x1x8xf32>) {
  // expected-error @below {{'tpa.stream' op pages must be a table of i32 of rank 2, but is 'tensor<2x4xi64>'}}
  %s = tpa.stream "bnd,bmd->bnd"(%x, %k) pages(%t : tensor<2x4xi64>) length %m of [1] outs(%z) block 16 splits 1 {
  ^bb0(%xi: tensor<2x1x8xf32>, %kj: tensor<2x?x8xf32>):
    %l = tpa.einsum "bnd,bmd->bnm"(%xi, %kj) : tensor<2x1x8xf32>, tensor<2x?x8xf32>
    %o = tpa.einsum "bnm,bmd->bnd"(%l, %kj) : tensor<2x1x?xf32>, tensor<2x?x8xf32>
    tpa.yield %o : tensor<2x1x8xf32>
  } : (tensor<2x1x8xf32>, tensor<9x64x8xf32>) -> (tensor<1x2x1x8xf32>)
  return
}

// -----

func.func @stream_c7_term(%x: tensor<2x1x8xf32>, %k: tensor<9x64x8xf32>, %t: tensor<2x4xi32>, %m: index, %z: tensor<1x2x1x8xf32>) {
  // expected-error @below {{'tpa.stream' op operand 0 cannot be paged: there is none whose term starts with "bm"}}
  %s = tpa.stream "bnd,bmd->bnd"(%x, %k) pages(%t : tensor<2x4xi32>) length %m of [0] outs(%z) block 16 splits 1 {
  ^bb0(%xi: tensor<2x1x8xf32>, %kj: tensor<2x?x8xf32>):
    %l = tpa.einsum "bnd,bmd->bnm"(%xi, %kj) : tensor<2x1x8xf32>, tensor<2x?x8xf32>
    %o = tpa.einsum "bnm,bmd->bnd"(%l, %kj) : tensor<2x1x?xf32>, tensor<2x?x8xf32>
    tpa.yield %o : tensor<2x1x8xf32>
  } : (tensor<2x1x8xf32>, tensor<9x64x8xf32>) -> (tensor<1x2x1x8xf32>)
  return
}

// -----

func.func @stream_c7_operand(%x: tensor<2x1x8xf32>, %k: tensor<9x64x8xf32>, %t: tensor<2x4xi32>, %m: index, %z: tensor<1x2x1x8xf32>) {
  // expected-error @below {{'tpa.stream' op operand 2 cannot be paged: there is none whose term starts with "bm"}}
  %s = tpa.stream "bnd,bmd->bnd"(%x, %k) pages(%t : tensor<2x4xi32>) length %m of [2] outs(%z) block 16 splits 1 {
  ^bb0(%xi: tensor<2x1x8xf32>, %kj: tensor<2x?x8xf32>):
    %l = tpa.einsum "bnd,bmd->bnm"(%xi, %kj) : tensor<2x1x8xf32>, tensor<2x?x8xf32>
    %o = tpa.einsum "bnm,bmd->bnd"(%l, %kj) : tensor<2x1x?xf32>, tensor<2x?x8xf32>
    tpa.yield %o : tensor<2x1x8xf32>
  } : (tensor<2x1x8xf32>, tensor<9x64x8xf32>) -> (tensor<1x2x1x8xf32>)
  return
}

// -----

func.func @stream_c7_block(%x: tensor<2x1x8xf32>, %k: tensor<9x64x8xf32>, %t: tensor<2x4xi32>, %m: index, %z: tensor<1x2x1x8xf32>) {
  // expected-error @below {{'tpa.stream' op a block of 48 keys does not divide the pages of 'tensor<9x64x8xf32>'}}
  %s = tpa.stream "bnd,bmd->bnd"(%x, %k) pages(%t : tensor<2x4xi32>) length %m of [1] outs(%z) block 48 splits 1 {
  ^bb0(%xi: tensor<2x1x8xf32>, %kj: tensor<2x?x8xf32>):
    %l = tpa.einsum "bnd,bmd->bnm"(%xi, %kj) : tensor<2x1x8xf32>, tensor<2x?x8xf32>
    %o = tpa.einsum "bnm,bmd->bnd"(%l, %kj) : tensor<2x1x?xf32>, tensor<2x?x8xf32>
    tpa.yield %o : tensor<2x1x8xf32>
  } : (tensor<2x1x8xf32>, tensor<9x64x8xf32>) -> (tensor<1x2x1x8xf32>)
  return
}

// -----

func.func @stream_c7_static(%x: tensor<2x1x8xf32>, %k: tensor<9x?x8xf32>, %t: tensor<2x4xi32>, %m: index, %z: tensor<1x2x1x8xf32>) {
  // expected-error @below {{'tpa.stream' op a block of 16 keys does not divide the pages of 'tensor<9x?x8xf32>'}}
  %s = tpa.stream "bnd,bmd->bnd"(%x, %k) pages(%t : tensor<2x4xi32>) length %m of [1] outs(%z) block 16 splits 1 {
  ^bb0(%xi: tensor<2x1x8xf32>, %kj: tensor<2x?x8xf32>):
    %l = tpa.einsum "bnd,bmd->bnm"(%xi, %kj) : tensor<2x1x8xf32>, tensor<2x?x8xf32>
    %o = tpa.einsum "bnm,bmd->bnd"(%l, %kj) : tensor<2x1x?xf32>, tensor<2x?x8xf32>
    tpa.yield %o : tensor<2x1x8xf32>
  } : (tensor<2x1x8xf32>, tensor<9x?x8xf32>) -> (tensor<1x2x1x8xf32>)
  return
}

// -----

func.func @stream_c2_batch(%x: tensor<2x1x8xf32>, %k: tensor<9x64x8xf32>, %t: tensor<3x4xi32>, %m: index, %z: tensor<1x2x1x8xf32>) {
  // expected-error @below {{'tpa.stream' op label 'b' has size 2 in one operand and 3 in another}}
  %s = tpa.stream "bnd,bmd->bnd"(%x, %k) pages(%t : tensor<3x4xi32>) length %m of [1] outs(%z) block 16 splits 1 {
  ^bb0(%xi: tensor<2x1x8xf32>, %kj: tensor<2x?x8xf32>):
    %l = tpa.einsum "bnd,bmd->bnm"(%xi, %kj) : tensor<2x1x8xf32>, tensor<2x?x8xf32>
    %o = tpa.einsum "bnm,bmd->bnd"(%l, %kj) : tensor<2x1x?xf32>, tensor<2x?x8xf32>
    tpa.yield %o : tensor<2x1x8xf32>
  } : (tensor<2x1x8xf32>, tensor<9x64x8xf32>) -> (tensor<1x2x1x8xf32>)
  return
}

// -----

func.func @stream_c7_together(%x: tensor<2x1x8xf32>, %k: tensor<9x64x8xf32>, %z: tensor<1x2x1x8xf32>) {
  // expected-error @below {{'tpa.stream' op needs pages, length and paged together}}
  %s = tpa.stream "bnd,bmd->bnd"(%x, %k) outs(%z) block 16 splits 1 {
  ^bb0(%xi: tensor<2x1x8xf32>, %kj: tensor<2x?x8xf32>):
    %l = tpa.einsum "bnd,bmd->bnm"(%xi, %kj) : tensor<2x1x8xf32>, tensor<2x?x8xf32>
    %o = tpa.einsum "bnm,bmd->bnd"(%l, %kj) : tensor<2x1x?xf32>, tensor<2x?x8xf32>
    tpa.yield %o : tensor<2x1x8xf32>
  } {paged = array<i64: 1>} : (tensor<2x1x8xf32>, tensor<9x64x8xf32>) -> (tensor<1x2x1x8xf32>)
  return
}

// -----

func.func @stream_c8_batch(%x: tensor<2x5x8xf32>, %k: tensor<2x?x8xf32>, %z: tensor<1x5x8xf32>) {
  // expected-error @below {{'tpa.stream' op output "nd" lacks the label 'b' that an operand has}}
  %s = tpa.stream "bnd,bmd->nd"(%x, %k) outs(%z) block 16 splits 1 {
  ^bb0(%xi: tensor<2x5x8xf32>, %kj: tensor<2x?x8xf32>):
    %l = tpa.einsum "bnd,bmd->bnm"(%xi, %kj) : tensor<2x5x8xf32>, tensor<2x?x8xf32>
    %o = tpa.einsum "bnm,bmd->nd"(%l, %kj) : tensor<2x5x?xf32>, tensor<2x?x8xf32>
    tpa.yield %o : tensor<5x8xf32>
  } : (tensor<2x5x8xf32>, tensor<2x?x8xf32>) -> (tensor<1x5x8xf32>)
  return
}

// -----

func.func @stream_c8_kept(%x: tensor<2x5x8xf32>, %k: tensor<2x?x8xf32>, %z: tensor<1x2x8xf32>) {
  // expected-error @below {{'tpa.stream' op output "bd" lacks the label 'n' that an operand has}}
  %s = tpa.stream "bnd,bmd->bd"(%x, %k) outs(%z) block 16 splits 1 {
  ^bb0(%xi: tensor<2x5x8xf32>, %kj: tensor<2x?x8xf32>):
    %l = tpa.einsum "bnd,bmd->bnm"(%xi, %kj) : tensor<2x5x8xf32>, tensor<2x?x8xf32>
    %o = tpa.einsum "bnm,bmd->bd"(%l, %kj) : tensor<2x5x?xf32>, tensor<2x?x8xf32>
    tpa.yield %o : tensor<2x8xf32>
  } : (tensor<2x5x8xf32>, tensor<2x?x8xf32>) -> (tensor<1x2x8xf32>)
  return
}
