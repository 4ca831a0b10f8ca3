package shares

import (
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

// consistent reports whether the shares beyond the threshold belong to the first ones. Vault is
// asked with the first ones only; a wrong one among the rest would show up only on the day on which
// it is needed.
//
// A share holds, for each byte of the key, the value of a polynomial over GF(2^8)
// (with the field polynomial 0x11b, as AES has it) at a point that is its last byte.
// As many shares as the threshold determine the polynomials, the others must lie
// on them. This is github.com/hashicorp/vault/shamir's layout.
func consistent(values []secret.Value, threshold int) error {
	if threshold < 2 || len(values) < 2 {
		return nil // a key that is not split
	}
	all := make([][]byte, len(values))
	for i, value := range values {
		raw, err := base64.StdEncoding.DecodeString(value.Reveal())
		if err != nil {
			return fmt.Errorf("share %d: %w", i+1, errMalformed)
		}
		all[i] = raw
		if len(raw) != len(all[0]) {
			return fmt.Errorf("share %d is not as long as the first: they belong to different keys", i+1)
		}
		for j, other := range all[:i] {
			if point(raw) == point(other) {
				return fmt.Errorf("shares %d and %d have the same number: they belong to different sets", j+1, i+1)
			}
		}
	}
	for i, share := range all[threshold:] {
		if !onPolynomial(all[:threshold], share) {
			return fmt.Errorf("share %d does not belong to the same set as the first %d", threshold+i+1, threshold)
		}
	}
	for i, share := range all {
		if point(share) == 0 {
			return fmt.Errorf("share %d: %w", i+1, errors.New("its number is 0, which is not valid"))
		}
	}
	return nil
}

func point(share []byte) byte { return share[len(share)-1] }

// onPolynomial interpolates each byte of known at the point of share.
func onPolynomial(known [][]byte, share []byte) bool {
	x := point(share)
	for position := range len(share) - 1 {
		var y byte
		for i, a := range known {
			term := a[position]
			for j, b := range known {
				if i != j {
					term = multiply(term, divide(x^point(b), point(a)^point(b)))
				}
			}
			y ^= term
		}
		if y != share[position] {
			return false
		}
	}
	return true
}

func multiply(a, b byte) byte {
	var product byte
	for ; b > 0; b >>= 1 {
		if b&1 == 1 {
			product ^= a
		}
		carry := a & 0x80
		a <<= 1
		if carry != 0 {
			a ^= 0x1b
		}
	}
	return product
}

// divide multiplies with b's inverse, which is its 254th power.
func divide(a, b byte) byte {
	inverse := byte(1)
	for range 254 {
		inverse = multiply(inverse, b)
	}
	return multiply(a, inverse)
}
