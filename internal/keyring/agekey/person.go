package agekey

import (
	"errors"

	"filippo.io/age/plugin"
)

// Person answers what a plugin asks for, such as the PIN of a device.
type Person interface {
	// Show shows a message of a plugin, such as that a device is to be touched.
	Show(plugin, message string)
	// Ask returns what was answered to a prompt of a plugin. What is secret must not be shown.
	Ask(plugin, prompt string, secret bool) (string, error)
}

var errNobody = errors.New("there is nobody to ask")

// ui returns how plugins talk to a person, who is nil where there is none.
func ui(person Person) *plugin.ClientUI {
	return &plugin.ClientUI{
		DisplayMessage: func(name, message string) error {
			if person == nil {
				return errNobody
			}
			person.Show(name, message)
			return nil
		},
		RequestValue: func(name, prompt string, secret bool) (string, error) {
			if person == nil {
				return "", errNobody
			}
			return person.Ask(name, prompt, secret)
		},
		Confirm: func(_, _, _, _ string) (bool, error) { return false, errNobody },
		WaitTimer: func(name string) {
			if person != nil {
				person.Show(name, "waiting for the plugin: is its device there, and does it want to be touched?")
			}
		},
	}
}
