// A HiveMQ Community Edition for a test: java Broker CONFIG_FOLDER DATA_FOLDER NAME PASSWORD_FILE
//
// HiveMQ CE has no accounts of its own: an extension says who comes in. This one knows a single name
// and password. Its holder may use plant/# over TLS and nothing else; who comes without a name is held
// to shed/# on the plaintext listener. It serves until it is stopped.
import com.hivemq.embedded.EmbeddedExtension;
import com.hivemq.embedded.EmbeddedHiveMQ;
import com.hivemq.extension.sdk.api.ExtensionMain;
import com.hivemq.extension.sdk.api.auth.SimpleAuthenticator;
import com.hivemq.extension.sdk.api.auth.parameter.SimpleAuthInput;
import com.hivemq.extension.sdk.api.auth.parameter.SimpleAuthOutput;
import com.hivemq.extension.sdk.api.client.parameter.Listener;
import com.hivemq.extension.sdk.api.client.parameter.ListenerType;
import com.hivemq.extension.sdk.api.packets.auth.DefaultAuthorizationBehaviour;
import com.hivemq.extension.sdk.api.packets.auth.ModifiableDefaultPermissions;
import com.hivemq.extension.sdk.api.packets.connect.ConnackReasonCode;
import com.hivemq.extension.sdk.api.packets.connect.ConnectPacket;
import com.hivemq.extension.sdk.api.parameter.ExtensionStartInput;
import com.hivemq.extension.sdk.api.parameter.ExtensionStartOutput;
import com.hivemq.extension.sdk.api.parameter.ExtensionStopInput;
import com.hivemq.extension.sdk.api.parameter.ExtensionStopOutput;
import com.hivemq.extension.sdk.api.services.Services;
import com.hivemq.extension.sdk.api.services.builder.Builders;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

public final class Broker {
    static final class Doorkeeper implements ExtensionMain, SimpleAuthenticator {
        private final String name;
        private final String password;

        Doorkeeper(String name, String password) {
            this.name = name;
            this.password = password;
        }

        @Override
        public void extensionStart(ExtensionStartInput input, ExtensionStartOutput output) {
            Services.securityRegistry().setAuthenticatorProvider(of -> this);
        }

        @Override
        public void extensionStop(ExtensionStopInput input, ExtensionStopOutput output) {}

        @Override
        public void onConnect(SimpleAuthInput input, SimpleAuthOutput output) {
            ConnectPacket who = input.getConnectPacket();
            ListenerType door = input.getConnectionInformation().getListener()
                .map(Listener::getListenerType).orElse(null);
            if (door == ListenerType.TLS_TCP_LISTENER && knows(who))
                admit(output, "plant/#");
            else if (door == ListenerType.TCP_LISTENER && who.getUserName().isEmpty())
                admit(output, "shed/#");
            else
                output.failAuthentication(ConnackReasonCode.BAD_USER_NAME_OR_PASSWORD);
        }

        private boolean knows(ConnectPacket who) {
            Optional<String> given = who.getPassword()
                .map(bytes -> StandardCharsets.UTF_8.decode(bytes.duplicate()).toString());
            return who.getUserName().equals(Optional.of(name))
                && given.equals(Optional.of(password));
        }

        private static void admit(SimpleAuthOutput output, String filter) {
            ModifiableDefaultPermissions may = output.getDefaultPermissions();
            may.add(Builders.topicPermission().topicFilter(filter).build());
            may.setDefaultBehaviour(DefaultAuthorizationBehaviour.DENY);
            output.authenticateSuccessfully();
        }
    }

    public static void main(String[] arguments) throws Exception {
        String password = Files.readString(Path.of(arguments[3])).strip();
        EmbeddedExtension extension = EmbeddedExtension.builder()
            .withId("doorkeeper").withName("Doorkeeper").withVersion("1").withAuthor("a test")
            .withExtensionMain(new Doorkeeper(arguments[2], password))
            .build();
        EmbeddedHiveMQ broker = EmbeddedHiveMQ.builder()
            .withConfigurationFolder(Path.of(arguments[0]))
            .withDataFolder(Path.of(arguments[1]))
            .withEmbeddedExtension(extension)
            .build();
        broker.start().join();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> broker.stop().join()));
        Thread.currentThread().join();
    }
}
