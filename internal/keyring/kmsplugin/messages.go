package kmsplugin

import (
	"errors"

	"google.golang.org/protobuf/encoding/protowire"
)

// The fields of the messages of KMS v2 (k8s.io/kms/apis/v2/api.proto, Kubernetes 1.36). Encrypting
// answers with three of the fields that decrypting asks for, under other numbers.
const (
	encryptPlaintext, encryptUID = 1, 2

	encryptedCiphertext, encryptedKeyID, encryptedAnnotations = 1, 2, 3

	decryptCiphertext, decryptUID, decryptKeyID, decryptAnnotations = 1, 2, 3, 4

	decryptedPlaintext = 1

	statusVersion, statusHealthz, statusKeyID = 1, 2, 3
)

// field is one that has a length: bytes, a text, or an entry of a map.
type field struct {
	number  protowire.Number
	content []byte
}

// write returns a message.
func write(fields ...field) []byte {
	var message []byte
	for _, f := range fields {
		if len(f.content) > 0 { // as proto3 has it
			message = protowire.AppendBytes(protowire.AppendTag(message, f.number, protowire.BytesType), f.content)
		}
	}
	return message
}

// errMalformed does not quote what it is about.
var errMalformed = errors.New("the message is not one of KMS v2")

// read returns the fields of a message that have a length, in their order, and skips others.
func read(message []byte) ([]field, error) {
	var fields []field
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return nil, errMalformed
		}
		message = message[n:]
		if kind != protowire.BytesType {
			if n = protowire.ConsumeFieldValue(number, kind, message); n < 0 {
				return nil, errMalformed
			}
			message = message[n:]
			continue
		}
		content, n := protowire.ConsumeBytes(message)
		if n < 0 {
			return nil, errMalformed
		}
		fields, message = append(fields, field{number, content}), message[n:]
	}
	return fields, nil
}

// last returns the content of the last field of a number, as proto3 has it; nil if there is none.
func last(fields []field, number protowire.Number) []byte {
	for i := len(fields) - 1; i >= 0; i-- {
		if fields[i].number == number {
			return fields[i].content
		}
	}
	return nil
}
