// DEFINE: %{ready} = --t6-instantiate-model=batch=3 --canonicalize --tpa-compose-attention --canonicalize
// RUN: tpa-opt %s %{ready} --t6-build-entries="max-length=50 page-tokens=16 verify-tokens=2" | FileCheck %s

// Without options, a page has 64 tokens.
// RUN: tpa-opt %s %{ready} --t6-build-entries=max-length=65 | FileCheck %s --check-prefix=DEFAULT
// DEFAULT: page_tokens = 64 : i64
// DEFAULT: exec.buffer state @cache.0.0 : tensor<7x64x2x4xf32>
// A row that is no longer than a page is in one piece; or where told to be.
// RUN: tpa-opt %s %{ready} --t6-build-entries | FileCheck %s --check-prefix=PIECE
// RUN: tpa-opt %s %{ready} --t6-build-entries="max-length=16 page-tokens=16" | FileCheck %s --check-prefix=PIECE
// RUN: tpa-opt %s %{ready} --t6-build-entries="max-length=65 page-tokens=0" | FileCheck %s --check-prefix=PIECE
// PIECE-NOT: page
// PIECE: exec.buffer state @cache.0.0 : tensor<3x{{16|64|65}}x2x4xf32>
// PIECE-NOT: pages

// Fewer pages than all rows at their longest take: 65 tokens are 5 pages, and there is one for nobody.
// RUN: tpa-opt %s %{ready} --t6-build-entries="max-length=50 page-tokens=16 cache-tokens=65" | FileCheck %s --check-prefix=SHARED
// SHARED: exec.buffer state @cache.0.0 : tensor<6x16x2x4xf32>
// SHARED: exec.buffer input @prefill.pages : tensor<3x4xi32> {range = array<i64: 0, 6>}
// SHARED: exec.buffer input @decode.pages : tensor<3x4xi32> {range = array<i64: 0, 6>}

// Pools have ceil(50 / 16) pages for each of three rows, and one for nobody; rows share a table.
// CHECK: module attributes {t6.summary = {{{.*}}page_tokens = 16 : i64
// CHECK: exec.buffer state @cache.0.0 : tensor<13x16x2x4xf32>
// CHECK: func.func private @prefill.block({{.*}}, %[[AT:.*]]: tensor<3xi32>, %[[PAGES:.*]]: tensor<3x4xi32>, %{{.*}}: tensor<3x?x24xf32>
// CHECK: %[[POOL:.*]] = t6.cache_append %{{.*}} at %[[AT]] pages %[[PAGES]]
// CHECK: t6.cache_read %[[POOL]][%{{.*}}] pages %[[PAGES]] : tensor<13x16x2x4xf32>, tensor<3x4xi32>
// CHECK: exec.buffer input @prefill.pages : tensor<3x4xi32> {range = array<i64: 0, 13>}
// CHECK: exec.entry @prefill
// CHECK: %[[TABLE:.*]] = exec.load @prefill.pages : tensor<3x4xi32>
// CHECK: call @prefill.block({{.*}}, %[[TABLE]],
// CHECK: exec.buffer input @decode.pages : tensor<3x4xi32> {range = array<i64: 0, 13>}
// CHECK: func.func private @verify.block({{.*}}: tensor<3x2xi64>, %{{.*}}: tensor<3x4xi32>, %{{.*}}: tensor<3x2x24xf32>
// CHECK: exec.buffer input @verify.pages : tensor<3x4xi32> {range = array<i64: 0, 13>}
// Loss has no cache.
// CHECK-NOT: @loss.pages
t6.model @t6 uses @tpa {
  vocab = 50, layers = 2, width = 24, ffn = 32, context_length = 64,
  sizes = {H = 4, D = 8, R_Q = 3, R_K = 2, R_V = 1}}
