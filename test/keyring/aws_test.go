package keyring_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/smithy-go"

	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring"
	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring/awskms"
	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring/keyringtest"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

const awsSecret = "the-secret-access-key-of-the-suite"

// caller is somebody with the suite's secret.
func caller(id string, may ...string) testbed.KMSCaller {
	return testbed.KMSCaller{Credentials: aws.Credentials{AccessKeyID: id, SecretAccessKey: awsSecret}, May: may}
}

var administrator = caller("AKIDADMINISTRATOR")

// amazon is an emulator of KMS with a key.
type amazon struct {
	*testing.T
	*testbed.KMS
	arn string
}

func startAmazon(t *testing.T) *amazon {
	t.Helper()
	testbed.NoteSecrets(t, awsSecret)
	a := &amazon{T: t, KMS: testbed.KMSFor(t, "eu-central-1")}
	a.Admit(administrator)
	a.arn = a.key(fields{})
	return a
}

func (a *amazon) key(as fields) (arn string) {
	a.Helper()
	var made struct{ KeyMetadata struct{ Arn string } }
	a.call("CreateKey", as, &made)
	return made.KeyMetadata.Arn
}

func (a *amazon) call(operation string, in, out any) {
	a.Helper()
	if err := a.Call(a.Context(), administrator, operation, in, out); err != nil {
		a.Fatal(err)
	}
}

// open returns a recipient that asks as a caller, without the SDK's waits between retries.
func (a *amazon) open(arn string, as testbed.KMSCaller) *awskms.Recipient {
	a.Helper()
	form, err := keyring.Parse("awskms:" + arn)
	if err != nil {
		a.Fatal(err)
	}
	return awskms.New(form, awskms.Access{Endpoint: a.URL, Config: func(_ context.Context, region string) (aws.Config, error) {
		return aws.Config{
			Region: region, Retryer: func() aws.Retryer { return aws.NopRetryer{} },
			Credentials: credentials.NewStaticCredentialsProvider(as.AccessKeyID, as.SecretAccessKey, as.SessionToken),
		}, nil
	}})
}

// TestAWS uses a key, and an alias of one, by a caller who may do nothing but encrypt and decrypt,
// with a session token.
func TestAWS(t *testing.T) {
	t.Parallel()
	a := startAmazon(t)
	ours := caller("ASIAOURS", "Encrypt", "Decrypt")
	ours.SessionToken = "the-session-token-of-the-suite"
	a.Admit(ours)
	keyringtest.Recipient(t, a.open(a.arn, ours), 5)
	wrapped, version := keyringtest.Wrap(t, a.open(a.arn, ours))
	if version == "" || !strings.HasSuffix(a.arn, "/"+version) {
		t.Errorf("the version is %q of %s", version, a.arn)
	}
	a.call("CreateAlias", fields{"AliasName": "alias/vault", "TargetKeyId": a.arn}, nil)
	alias := strings.Split(a.arn, ":key/")[0] + ":alias/vault"
	keyringtest.Recipient(t, a.open(alias, ours), 20)
	byAlias, version := keyringtest.Wrap(t, a.open(alias, ours))
	if !strings.HasSuffix(a.arn, "/"+version) {
		t.Errorf("the alias leads to %q", version)
	}
	keyringtest.Opens(t, a.open(a.arn, ours), byAlias)

	other := a.key(fields{})
	a.call("UpdateAlias", fields{"AliasName": "alias/vault", "TargetKeyId": other}, nil)
	keyringtest.Opens(t, a.open(alias, ours), byAlias)
	keyringtest.UnwrapFails(t, a.open(other, ours), "the wrap of another key", wrapped, keyring.CannotDecrypt)
}

// TestAWSRefusals has what a person would act on: credentials, grants, and states of the key.
func TestAWSRefusals(t *testing.T) {
	t.Parallel()
	a := startAmazon(t)
	wrapped, _ := keyringtest.Wrap(t, a.open(a.arn, administrator))
	both := func(what string, recipient *awskms.Recipient, want keyring.Reason) {
		t.Helper()
		keyringtest.WrapFails(t, recipient, what, want, awsSecret)
		keyringtest.UnwrapFails(t, recipient, what, wrapped, want, awsSecret)
	}
	encrypts, decrypts, expired, forger := caller("AKIDENCRYPTS", "Encrypt"), caller("AKIDDECRYPTS", "Decrypt"), caller("ASIAEXPIRED"), administrator
	expired.Expired, forger.SecretAccessKey = true, "hunter2"
	for _, each := range []testbed.KMSCaller{encrypts, decrypts, expired} {
		a.Admit(each)
	}
	got, _ := keyringtest.Wrap(t, a.open(a.arn, encrypts))
	keyringtest.UnwrapFails(t, a.open(a.arn, encrypts), "a grant to encrypt", got, keyring.Refused, awsSecret)
	keyringtest.Opens(t, a.open(a.arn, decrypts), wrapped)
	keyringtest.WrapFails(t, a.open(a.arn, decrypts), "a grant to decrypt", keyring.Refused, awsSecret)
	both("an expired token", a.open(a.arn, expired), keyring.Expired)
	both("nobody known", a.open(a.arn, caller("AKIDNOBODY")), keyring.Expired)
	both("a wrong secret", a.open(a.arn, forger), keyring.Expired)

	elsewhere := strings.Replace(a.arn, "eu-central-1", "eu-west-1", 1)
	both("another region", a.open(elsewhere, administrator), keyring.WrongRegion)
	none := a.arn[:strings.LastIndex(a.arn, "/")] + "/00000000-0000-0000-0000-000000000000"
	keyringtest.WrapFails(t, a.open(none, administrator), "no such key", keyring.KeyUnknown)
	signs := a.key(fields{"KeyUsage": "SIGN_VERIFY", "CustomerMasterKeySpec": "ECC_NIST_P256"})
	keyringtest.WrapFails(t, a.open(signs, administrator), "a key that signs", keyring.KeyUnsuitable)

	opened := a.open(a.arn, administrator)
	a.call("DisableKey", fields{"KeyId": a.arn}, nil)
	keyringtest.WrapFails(t, opened, "disabled", keyring.KeyDisabled)
	a.call("EnableKey", fields{"KeyId": a.arn}, nil)
	keyringtest.Opens(t, opened, wrapped)
	a.call("ScheduleKeyDeletion", fields{"KeyId": a.arn, "PendingWindowInDays": 7}, nil)
	keyringtest.WrapFails(t, opened, "to be deleted", keyring.KeyDeleted)
}

// TestAWSAnswers has answers that the emulator does not give: the service's own failures, and the
// answer of another key.
func TestAWSAnswers(t *testing.T) {
	t.Parallel()
	a := startAmazon(t)
	opened := a.open(a.arn, administrator)
	wrapped, _ := keyringtest.Wrap(t, opened)
	for code, want := range map[string]keyring.Reason{
		"ThrottlingException": keyring.Unreachable, "KMSInternalException": keyring.Unreachable, "DependencyTimeoutException": keyring.Unreachable,
		"KeyUnavailableException": keyring.Unreachable, "DisabledException": keyring.KeyDisabled, "IncorrectKeyException": keyring.CannotDecrypt,
		"NotFoundException": keyring.KeyUnknown, "InvalidKeyUsageException": keyring.KeyUnsuitable,
	} {
		a.Answer(func(w http.ResponseWriter, _ *http.Request) { testbed.KMSRefusal(w, code, "a message") })
		keyringtest.UnwrapFails(t, opened, code, wrapped, want)
	}
	a.Answer(func(w http.ResponseWriter, _ *http.Request) {
		testbed.KMSRefusal(w, "KMSInvalidStateException", a.arn+" is pending deletion.")
	})
	keyringtest.UnwrapFails(t, opened, "to be deleted", wrapped, keyring.KeyDeleted)
	a.Answer(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"KeyId":"arn:aws:kms:eu-central-1:999988887777:key/evil","Plaintext":"aGVsbG8=","CiphertextBlob":"aGVsbG8="}`))
	})
	keyringtest.UnwrapFails(t, opened, "another key", wrapped, keyring.CannotDecrypt)
	keyringtest.WrapFails(t, opened, "another key", keyring.Corrupted)
	alias := a.open(strings.Split(a.arn, ":key/")[0]+":alias/vault", administrator)
	keyringtest.UnwrapFails(t, alias, "another account's key", wrapped, keyring.CannotDecrypt)
	a.Answer(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(bytes.ReplaceAll([]byte(`{"KeyId":"ARN","Plaintext":""}`), []byte("ARN"), []byte(a.arn)))
	})
	keyringtest.UnwrapFails(t, opened, "no key", wrapped, keyring.Corrupted)
	keyringtest.WrapFails(t, opened, "no wrap", keyring.Corrupted)
}

// TestAWSAway has no credentials, and a service that is gone or silent.
func TestAWSAway(t *testing.T) {
	t.Parallel()
	a := startAmazon(t)
	wrapped, _ := keyringtest.Wrap(t, a.open(a.arn, administrator))
	form, _ := keyring.Parse("awskms:" + a.arn)
	_, refused := new(net.Dialer).DialContext(t.Context(), "tcp", "127.0.0.1:1")
	for err, want := range map[error]keyring.Reason{
		errors.New("there is no profile"): keyring.NoCredential, refused: keyring.Unreachable,
		fmt.Errorf("no EC2 IMDS role found, %w", refused): keyring.NoCredential, &smithy.GenericAPIError{Code: "ExpiredTokenException"}: keyring.Expired,
	} {
		none := awskms.New(form, awskms.Access{Endpoint: a.URL, Config: func(context.Context, string) (aws.Config, error) {
			return aws.Config{Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return aws.Credentials{}, err })}, nil
		}})
		keyringtest.WrapFails(t, none, err.Error(), want)
		keyringtest.UnwrapFails(t, none, err.Error(), wrapped, want)
	}
	opened := a.open(a.arn, administrator)
	a.Answer(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	got, err := opened.Unwrap(ctx, wrapped, keyringtest.About)
	keyringtest.Fails(t, "silent", got, err, keyring.Unreachable, awsSecret)
	a.URL = "http://127.0.0.1:1"
	keyringtest.UnwrapFails(t, a.open(a.arn, administrator), "gone", wrapped, keyring.Unreachable, awsSecret)
}
