// What the runtime would refuse is an error here, where there is a place to point at.
// RUN: tpa-opt %s --compile-from=llvm --split-input-file --verify-diagnostics -o %t.t6x
// RUN: not ls %t.t6x

exec.buffer input @e.tokens : tensor<1x?xi32> {dims = ["", "n"]}
exec.buffer input @e.last : tensor<1xi32> {below = "k", range = array<i64: 0, 16>}
// expected-error@+1 {{has no scalar 'k', which @e.last names}}
exec.entry @e scalars ["n"] maxima [16] {
^bb0(%n: index):
}

// -----

exec.buffer input @e.tokens : tensor<1x?xi32> {dims = ["", "n"]}
exec.buffer output @e.y : tensor<?xf32> {dims = ["k"]}
// expected-error@+1 {{has no scalar 'k', which @e.y names}}
exec.entry @e scalars ["n"] maxima [16] {
^bb0(%n: index):
}
